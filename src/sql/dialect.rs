//! The dialect in which statements are parsed: DuckDB's, with `^` as a power that binds more tightly than `*`, and
//! with `f(a = b)` as a comparison (table functions read their options out of it, `delim = ';'`).

use std::any::TypeId;

use sqlparser::dialect::{Dialect, DuckDbDialect};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// Between multiplication (40) and casts by `::` (50).
const POWER: u8 = 45;

/// See the module.
#[derive(Debug)]
pub(super) struct Statements;

/// Answers like the dialect below.
macro_rules! as_duckdb {
    ($($name:ident)*) => {
        $(fn $name(&self) -> bool {
            DuckDbDialect {}.$name()
        })*
    };
}

impl Dialect for Statements {
    fn dialect(&self) -> TypeId {
        TypeId::of::<DuckDbDialect>()
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        (parser.peek_token_ref().token == Token::Caret).then_some(Ok(POWER))
    }

    fn is_identifier_start(&self, c: char) -> bool {
        DuckDbDialect {}.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        DuckDbDialect {}.is_identifier_part(c)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        DuckDbDialect {}.identifier_quote_style(identifier)
    }

    as_duckdb! {
        supports_trailing_commas
        supports_filter_during_aggregation
        supports_group_by_expr
        supports_bitwise_shift_operators
        supports_named_fn_args_with_assignment_operator
        supports_dictionary_syntax
        support_map_literal_syntax
        supports_lambda_functions
        allow_extract_single_quotes
        supports_explain_with_utility_options
        supports_load_extension
        supports_array_typedef_with_brackets
        supports_from_first_select
        supports_order_by_all
        supports_select_wildcard_exclude
        supports_notnull_operator
        supports_install
        supports_detach
        supports_select_wildcard_replace
        supports_comma_separated_trim
        supports_numeric_literal_underscores
    }
}
