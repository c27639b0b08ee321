//! One schema over all files, united by name, and where each file keeps each column.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::ParquetOptions;
use super::footer::FileFooter;
use crate::error::{Error, Result};
use crate::kernel::{Scalar, Width, types};
use crate::source::ALL_COLUMNS;
use crate::source::hive;
use crate::source::options::parse_type;

/// The united schema and each file's way to it.
pub(super) struct Layout {
    pub schema: SchemaRef,
    /// For each file, for each column of the schema.
    pub files: Vec<Vec<ColumnFrom>>,
    pub notes: Vec<String>,
}

/// Where a file's values of a column come from.
#[derive(Debug, Clone)]
pub(super) enum ColumnFrom {
    /// The top-level column of that index.
    File(usize),
    /// The same for all rows: from the folder's name, or null where the file lacks the column.
    Constant(Scalar),
}

struct United {
    names: Vec<String>,
    types: HashMap<String, DataType>,
    /// The widths that all files agree on.
    widths: HashMap<String, Width>,
}

impl United {
    fn of(schema: &Schema) -> United {
        let fields = schema.fields().iter();
        let typed = |f: &Arc<Field>| (f.name().clone(), f.data_type().clone());
        let width = |f: &Arc<Field>| Some((f.name().clone(), Width::of_field(f)?));
        United {
            names: fields.clone().map(|f| f.name().clone()).collect(),
            types: fields.clone().map(typed).collect(),
            widths: fields.filter_map(width).collect(),
        }
    }

    fn add(&mut self, name: &str, ty: &DataType, width: Option<Width>) {
        match self.types.get_mut(name) {
            Some(old) => {
                *old = types::unite(old, ty);
                if self.widths.get(name) != width.as_ref() {
                    self.widths.remove(name);
                }
            }
            None => {
                self.types.insert(name.to_string(), ty.clone());
                self.names.push(name.to_string());
                self.widths.extend(width.map(|w| (name.to_string(), w)));
            }
        }
    }

    fn field(&self, name: &String) -> Field {
        let field = Field::new(name, self.types[name].clone(), true);
        Width::noted(self.widths.get(name).copied(), field)
    }
}

pub(super) fn unite_files(files: &[FileFooter], options: &ParquetOptions) -> Result<Layout> {
    let names: Vec<Vec<String>> = files.iter().map(|f| unique_names(&f.schema)).collect();
    let mut united = United {
        names: Vec::new(),
        types: HashMap::new(),
        widths: HashMap::new(),
    };
    for (file, names) in files.iter().zip(&names) {
        for (field, name) in file.schema.fields().iter().zip(names) {
            let width = Width::of(field.data_type()).filter(|_| !types::is_uuid(field));
            united.add(name, &types::logical_of(field), width);
        }
    }
    if options.strict {
        strict(files, &names)?;
    }
    let notes = missing(files, &names, &united);
    let hive = hive_columns(files, options, &mut united);
    if let Some(name) = &options.filename_column {
        if united.types.contains_key(name) {
            return Err(
                Error::usage(format!("the files have a column {name:?} already")).help("choose another name")
            );
        }
        united.add(name, &types::TEXT, None);
    }
    let every = options.types.iter().rfind(|(n, _)| n == ALL_COLUMNS);
    if let (Some((_, ty)), false) = (every, united.types.contains_key(ALL_COLUMNS)) {
        let ty = parse_type(ty)?;
        let columns = united
            .types
            .iter_mut()
            .filter(|(n, _)| Some(*n) != options.filename_column.as_ref());
        columns.for_each(|(_, old)| *old = ty.clone());
        united.widths.clear();
    }
    for (name, ty) in &options.types {
        // of columns that no file has, whoever opens all files knows
        if let Some(old) = united.types.get_mut(name) {
            *old = parse_type(ty)?;
            united.widths.remove(name);
        }
    }
    if let Some(schema) = &options.declared {
        united = United::of(schema);
    }
    let layouts = files.iter().zip(&names).zip(&hive).map(|((file, names), hive)| {
        let at: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let from = united.names.iter().map(|name| {
            if let Some(i) = at.get(name.as_str()) {
                ColumnFrom::File(*i)
            } else if Some(name) == options.filename_column.as_ref() {
                ColumnFrom::Constant(Scalar::Text(file.path.display().to_string()))
            } else {
                let value = hive.iter().find(|(n, _)| n == name);
                let value = value.and_then(|(_, v)| v.as_deref());
                let typed = hive::scalar(value, &united.types[name]);
                ColumnFrom::Constant(match (typed, value) {
                    // no value of the type that is law: told when it is read
                    (Scalar::Null, Some(text)) => Scalar::Text(text.to_string()),
                    (typed, _) => typed,
                })
            }
        });
        from.collect()
    });
    let files = layouts.collect();
    let fields = united.names.iter().map(|n| united.field(n));
    Ok(Layout {
        schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        files,
        notes,
    })
}

/// Names without repetition: `x`, `x_2`, …
fn unique_names(schema: &SchemaRef) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for (i, field) in schema.fields().iter().enumerate() {
        let base = match field.name().as_str() {
            "" => format!("column_{}", i + 1),
            name => name.to_string(),
        };
        let mut name = base.clone();
        let mut n = 2;
        while !seen.insert(name.clone()) {
            name = format!("{base}_{n}");
            n += 1;
        }
        names.push(name);
    }
    names
}

/// The pairs of each file's folders, whose columns are added to the schema.
fn hive_columns(
    files: &[FileFooter],
    options: &ParquetOptions,
    united: &mut United,
) -> Vec<Vec<(String, Option<String>)>> {
    if !options.hive {
        return vec![Vec::new(); files.len()];
    }
    let pairs: Vec<_> = files.iter().map(|f| hive::pairs(&f.path)).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in pairs.iter().flatten() {
        if !names.contains(&name) && !united.types.contains_key(name) {
            names.push(name);
        }
    }
    for name in names {
        let all = pairs.iter().flatten().filter(|(n, _)| n == name);
        let ty = hive::type_of(all.filter_map(|(_, v)| v.as_deref()));
        united.add(name, &ty, None);
    }
    pairs
}

fn strict(files: &[FileFooter], names: &[Vec<String>]) -> Result<()> {
    let describe = |i: usize| -> Vec<(&String, DataType)> {
        let types = files[i].schema.fields().iter().map(|f| types::logical_of(f));
        names[i].iter().zip(types).collect()
    };
    let mut first = describe(0);
    first.sort_by_key(|(n, _)| n.to_string());
    for i in 1..files.len() {
        let mut this = describe(i);
        this.sort_by_key(|(n, _)| n.to_string());
        if this != first {
            let odd = this.iter().find(|c| !first.contains(c));
            let odd = odd.or_else(|| first.iter().find(|c| !this.contains(c)));
            let name = odd.map(|(n, _)| n.as_str()).unwrap_or_default();
            return Err(Error::input(format!(
                "column {name:?} differs from that of {}",
                files[0].path.display()
            ))
            .at(&files[i].path, 0, 0)
            .help("leave --union strict out to unite files by name"));
        }
    }
    Ok(())
}

fn missing(files: &[FileFooter], names: &[Vec<String>], united: &United) -> Vec<String> {
    let mut notes = Vec::new();
    let sets: Vec<HashSet<&String>> = names.iter().map(|n| n.iter().collect()).collect();
    for name in &united.names {
        let lacking = sets.iter().filter(|s| !s.contains(name)).count();
        if lacking > 0 {
            let example = sets.iter().position(|s| !s.contains(name)).unwrap_or(0);
            notes.push(format!(
                "column {name:?} is missing in {lacking} of {} files (null there), as in {}",
                files.len(),
                files[example].path.display()
            ));
        }
    }
    notes
}
