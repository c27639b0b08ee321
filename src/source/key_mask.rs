//! Which rows of a column may have one of the keys of a join.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};

use crate::kernel::{KeySet, keyset};

/// What is known of the codes of the dictionary that came last.
#[derive(Debug, Default)]
pub struct KnownCodes {
    dictionary: Option<ArrayRef>,
    codes: Vec<Code>,
}

/// Whether a code stands for a text that may be a key.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Code {
    Unknown,
    Key,
    None,
}

impl KnownCodes {
    /// Which values may be keys; null is none.
    pub(super) fn mask(&mut self, keys: &KeySet, column: &ArrayRef) -> BooleanArray {
        let n = column.len();
        let bits = match column.data_type() {
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>().values();
                BooleanBuffer::collect_bool(n, |i| keys.may_have(values[i]))
            }
            DataType::Date32 => {
                let values = column.as_primitive::<Date32Type>().values();
                BooleanBuffer::collect_bool(n, |i| keys.may_have(values[i] as i64))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let values = column.as_primitive::<TimestampMicrosecondType>().values();
                BooleanBuffer::collect_bool(n, |i| keys.may_have(values[i]))
            }
            DataType::Utf8View => texts(keys, column.as_string_view()),
            DataType::Dictionary(..) => match column.as_dictionary_opt::<Int32Type>() {
                Some(array) => self.coded(keys, array),
                None => BooleanBuffer::new_set(n),
            },
            _ => BooleanBuffer::new_set(n),
        };
        let mask = BooleanArray::new(bits, column.nulls().cloned());
        match mask.null_count() {
            0 => mask,
            _ => prep_null_mask_filter(&mask),
        }
    }

    /// The same for codes: each is looked at once.
    fn coded(&mut self, keys: &KeySet, array: &DictionaryArray<Int32Type>) -> BooleanBuffer {
        let Some(texts) = array.values().as_string_view_opt() else {
            return BooleanBuffer::new_set(array.len());
        };
        let same = |d: &ArrayRef| Arc::ptr_eq(d, array.values());
        if !self.dictionary.as_ref().is_some_and(same) {
            self.codes.clear();
            self.codes.resize(texts.len(), Code::Unknown);
            self.dictionary = Some(array.values().clone());
        }
        let codes = array.keys().values();
        BooleanBuffer::collect_bool(codes.len(), |i| {
            let at = codes[i] as usize;
            // the code of a null may be anything
            let Some(code) = self.codes.get_mut(at) else {
                return true;
            };
            if *code == Code::Unknown {
                let found = keys.may_have(keyset::of_text(texts.value(at).as_bytes()));
                *code = if found { Code::Key } else { Code::None };
            }
            *code == Code::Key
        })
    }
}

fn texts(keys: &KeySet, texts: &StringViewArray) -> BooleanBuffer {
    BooleanBuffer::collect_bool(texts.len(), |i| {
        // what a null holds is never looked at
        texts.is_valid(i) && keys.may_have(keyset::of_text(texts.value(i).as_bytes()))
    })
}
