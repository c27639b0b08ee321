//! Groups with their states: a table of keys beside one array of states for each primitive.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::columns::Column;
use super::keys::{self, Keys};
use super::spec::{AggregateSpec, argument_type};
use super::states::{Primitive, States};
use super::table::Table;
use crate::error::Result;
use crate::kernel::Batch;

/// A spec taken apart: which primitives of which columns are kept, without repetition.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The spec.
    pub spec: AggregateSpec,
    /// Types of the key columns.
    pub key_types: Vec<DataType>,
    /// Types of the argument columns, for each aggregate.
    pub arg_types: Vec<DataType>,
    /// The primitives.
    pub primitives: Vec<(Primitive, Option<usize>, DataType)>,
    /// For each aggregate, its primitives.
    pub parts: Vec<Vec<usize>>,
    /// Whether the key is the plain text of one column.
    pub plain_text: bool,
    /// The Arrow schema of exported groups.
    pub exported: SchemaRef,
}

impl Layout {
    /// Takes a spec over columns of a schema apart.
    pub fn new(spec: &AggregateSpec, input: &Schema) -> Layout {
        let key_types: Vec<DataType> = spec
            .keys
            .iter()
            .map(|&k| input.field(k).data_type().clone())
            .collect();
        let arg_types: Vec<DataType> = spec.aggs.iter().map(|(_, a)| argument_type(input, *a)).collect();
        let mut primitives: Vec<(Primitive, Option<usize>, DataType)> = Vec::new();
        let mut parts = Vec::new();
        for ((agg, arg), ty) in spec.aggs.iter().zip(&arg_types) {
            let ty = if matches!(ty, DataType::Dictionary(..)) {
                &DataType::Utf8View
            } else {
                ty
            };
            let places = agg.primitives(ty).into_iter().map(|p| {
                let wanted = (p, *arg, ty.clone());
                primitives.iter().position(|x| *x == wanted).unwrap_or_else(|| {
                    primitives.push(wanted);
                    primitives.len() - 1
                })
            });
            parts.push(places.collect());
        }
        let mut fields = vec![Field::new("key", DataType::Binary, true)];
        for (i, (p, ..)) in primitives.iter().enumerate() {
            let types = States::exported_types(*p).into_iter().enumerate();
            fields.extend(types.map(|(j, t)| Field::new(format!("s{i}_{j}"), t, true)));
        }
        let plain_text = keys::is_plain_text(&key_types);
        let exported = Arc::new(Schema::new(fields));
        Layout {
            spec: spec.clone(),
            key_types,
            arg_types,
            primitives,
            parts,
            plain_text,
            exported,
        }
    }
}

/// Groups and their states.
pub struct Groups {
    /// What they are made of.
    pub layout: Arc<Layout>,
    /// Their keys.
    pub table: Table,
    /// Their states, one for each primitive.
    pub states: Vec<States>,
    keys: Keys,
    numbers: Vec<u32>,
}

impl Groups {
    /// No groups yet.
    pub fn new(layout: Arc<Layout>) -> Groups {
        let states = layout
            .primitives
            .iter()
            .map(|(p, _, ty)| States::new(*p, ty))
            .collect();
        Groups {
            layout,
            table: Table::default(),
            states,
            keys: Keys::default(),
            numbers: Vec::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.states.iter().map(States::bytes).sum::<usize>()
    }

    /// Bytes that taking in `rows` more rows may need at most on top of [`Groups::bytes`].
    pub fn growth(&self, rows: usize) -> usize {
        let groups = self.table.groups() + rows;
        let doubled = groups.next_power_of_two().max(rows);
        let costs = self.states.iter().map(States::cost);
        let (by_group, by_row) = costs.fold((24, 0), |(g, r), (x, y)| (g + x, r + y));
        let table = 2 * doubled * 32;
        (table + doubled * by_group + rows * (by_row + 16)).saturating_sub(self.table.bytes() / 2)
    }

    /// Takes rows in.
    pub fn update(&mut self, batch: &Batch) -> Result<()> {
        let layout = self.layout.clone();
        let key_columns = layout.spec.keys.iter().map(|&k| Column::new(&batch.columns[k]));
        let key_columns = key_columns.collect::<Result<Vec<_>>>()?;
        if layout.spec.keys.is_empty() {
            self.single(batch.rows);
        } else {
            self.keys.encode(&key_columns, batch.rows, layout.plain_text);
            self.table.find_or_insert(&self.keys, &mut self.numbers);
        }
        let groups = self.table.groups();
        for (state, (_, arg, _)) in self.states.iter_mut().zip(&layout.primitives) {
            state.resize(groups);
            let column = arg.map(|a| Column::new(&batch.columns[a])).transpose()?;
            state.update(&self.numbers, batch.position, column.as_ref())?;
        }
        Ok(())
    }

    /// Without keys there is one group, even of no rows.
    pub fn single(&mut self, rows: usize) {
        if self.table.groups() == 0 {
            self.keys.views.clear();
            self.keys.data.clear();
            self.keys.views.push(0);
            self.table.find_or_insert(&self.keys, &mut self.numbers);
        }
        self.numbers.clear();
        self.numbers.resize(rows, 0);
        let groups = self.table.groups();
        self.states.iter_mut().for_each(|s| s.resize(groups));
    }

    /// Takes exported groups in, those rows of `columns` whose hash `wanted` accepts.
    pub fn merge(&mut self, columns: &[ArrayRef]) -> Result<()> {
        keys::views_of(columns[0].as_binary::<i32>(), &mut self.keys);
        self.table.find_or_insert(&self.keys, &mut self.numbers);
        let groups = self.table.groups();
        let mut at = 1;
        for (state, (p, ..)) in self.states.iter_mut().zip(&self.layout.primitives) {
            let n = States::exported_types(*p).len();
            state.resize(groups);
            state.merge(&self.numbers, &columns[at..at + n])?;
            at += n;
        }
        Ok(())
    }

    /// Brings the states into a shape that can be exported and finished.
    pub fn settle(&mut self) {
        for s in &mut self.states {
            if let States::Bag(b) = s {
                b.settle();
            }
        }
    }

    /// Some groups as an Arrow batch: key, then states. Settle first.
    pub fn export(&self, groups: &[u32]) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.table.key_column(groups))];
        columns.extend(self.states.iter().flat_map(|s| s.export(groups)));
        let options = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        Ok(RecordBatch::try_new_with_options(
            self.layout.exported.clone(),
            columns,
            &options,
        )?)
    }
}

/// The hashes of exported keys.
pub fn hashes(key: &ArrayRef) -> Vec<u64> {
    let mut k = Keys::default();
    keys::views_of(key.as_binary::<i32>(), &mut k);
    debug_assert_eq!(k.views.len(), key.len());
    k.views.iter().map(|&v| super::table::hash(v, &k.data)).collect()
}
