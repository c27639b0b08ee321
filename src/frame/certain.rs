//! Types of which a query cannot be made are not believed from a sample: all values are looked at, and it is made
//! again.

use super::Frame;
use crate::error::Result;
use crate::observe::Warning;
use crate::plan::Table;

impl Frame {
    /// The same table with types that hold all values of the columns that a text names; none where it has them
    /// already.
    ///
    /// # Errors
    /// As reading does.
    pub(crate) fn certain(&self, text: &str) -> Result<Option<Frame>> {
        let text = text.to_lowercase();
        let cx = self.settings.context();
        let mut changed = false;
        let mut frame = self.replace_tables(&mut |table| {
            let schema = table.dataset.schema();
            let named = |c: &usize| text.contains(&schema.field(*c).name().to_lowercase());
            let columns: Vec<usize> = (0..schema.fields().len()).filter(named).collect();
            let mut dataset = table.dataset.clone();
            if dataset.may_widen(&columns) {
                dataset.doubt();
                dataset = dataset.refine(&columns, &cx)?;
                changed |= dataset.schema() != schema;
            }
            let name = table.name.clone();
            Ok(Table { name, dataset })
        })?;
        if let Ok(found) = cx.warnings.lock() {
            frame.notes = (frame
                .notes
                .iter()
                .chain(found.iter())
                .cloned()
                .collect::<Vec<Warning>>())
            .into();
        }
        Ok(changed.then_some(frame))
    }
}
