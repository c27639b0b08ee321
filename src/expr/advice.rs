//! What to do about texts that were to be numbers. Never what leaves rows out without a word: `try_cast` makes every
//! value null that it cannot read, and a sum goes on without them.

use arrow::datatypes::DataType;

use super::cast::parse_float;
use crate::kernel::types;

/// Where a value is no text, and nothing else is known of it.
pub(super) const IN_CASE: &str = "CASE WHEN … END says what becomes of such values";
/// Where a number is too long.
pub(super) const MORE_DIGITS: &str = "cast to a type of more digits";

/// Whether a text is no number.
pub fn is_no_number(text: &str) -> bool {
    parse_float(text).is_none()
}

/// What to do about a text of `x` that is no value of a type.
pub(super) fn about(x: &str, value: &str, to: &DataType) -> String {
    if is_number(to) {
        return as_number(x, value, to);
    }
    match null_where(x, value) {
        Some(nullif) => format!("{nullif} where that means null"),
        None => IN_CASE.to_string(),
    }
}

/// Whether values of a type are numbers, however long.
pub(super) fn is_number(ty: &DataType) -> bool {
    types::is_numeric(ty) || matches!(ty, DataType::Decimal256(..))
}

/// The call that makes null of a value; none of values that nobody would write down.
fn null_where(x: &str, value: &str) -> Option<String> {
    let is_short = value.chars().nth(60).is_none() && !value.contains(char::is_control);
    is_short.then(|| format!("nullif({x}, '{}')", value.replace('\'', "''")))
}

/// How a type is called in a cast.
fn name(ty: &DataType) -> String {
    match ty {
        DataType::Float64 => "double".to_string(),
        DataType::Int64 => "int".to_string(),
        ty => types::name(ty),
    }
}

/// What to do about a number that is none of that type.
fn other_number(x: &str, value: f64, to: &DataType) -> String {
    match to {
        DataType::Int64 if super::cast::float_to_int(value).is_some() => {
            format!("cast(round(cast({x} AS double)) AS int) makes whole numbers")
        }
        DataType::Int64 => format!("cast({x} AS decimal(38,0)), or AS double, holds it"),
        _ => MORE_DIGITS.to_string(),
    }
}

/// How `x`, whose value this is, becomes a number of that type.
fn as_number(x: &str, value: &str, to: &DataType) -> String {
    if let Some(number) = parse_float(value).filter(|n| n.is_finite()) {
        return other_number(x, number, to);
    }
    let v = value.trim();
    let cast = |inner: String| format!("cast({inner} AS {})", name(to));
    let replaced = |inner: String, c: char| format!("replace({inner}, '{c}', '')");
    let signs: &[char] = &['$', '€', '£', '%', ' ', '\u{a0}'];
    let found: Vec<char> = signs.iter().copied().filter(|c| v.contains(*c)).collect();
    let bare: String = v.chars().filter(|c| !found.contains(c)).collect();
    let clean = |x: &str| found.iter().fold(x.to_string(), |inner, &c| replaced(inner, c));
    let comma = bare.rsplit_once(',');
    // 1,234,567.8: commas part thousands. 12.345,60: one comma is the decimal sign
    let thousands = |whole: &str, sign: char| {
        let mut parts = whole.trim_start_matches(['-', '+']).split(sign);
        let digits = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
        parts.next().is_some_and(|p| digits(p) && p.len() <= 3) && parts.all(|p| digits(p) && p.len() == 3)
    };
    let whole = bare.split('.').next().unwrap_or("");
    if whole.contains(',') && thousands(whole, ',') && bare.matches('.').count() < 2 {
        return cast(replaced(clean(x), ','));
    }
    if let Some((whole, fraction)) = comma
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && (thousands(whole, '.')
            || whole
                .trim_start_matches(['-', '+'])
                .bytes()
                .all(|b| b.is_ascii_digit()))
    {
        let inner = match whole.contains('.') {
            true => replaced(clean(x), '.'),
            false => clean(x),
        };
        return cast(format!("replace({inner}, ',', '.')"));
    }
    if !found.is_empty() && !is_no_number(&bare) {
        return cast(clean(x));
    }
    match null_where(x, value) {
        Some(nullif) => format!("{} if that means null", cast(nullif)),
        None => IN_CASE.to_string(),
    }
}

/// What to do where nothing is known of the values.
pub(super) fn unknown(x: &str) -> String {
    format!("cast({x} AS double) makes numbers of the text, and tells the first value that is none")
}

/// What to do about the first value that is no number, which stands at `place`.
pub fn first_misfit(x: &str, value: &str, place: &str) -> String {
    let short: String = value.chars().take(40).flat_map(char::escape_debug).collect();
    format!(
        "the first value that is no number is '{short}' at {place}: {}",
        as_number(x, value, &DataType::Float64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_by_the_look_of_a_value() {
        let long = "x".repeat(61);
        let table = [
            ("1,234", "cast(replace(x, ',', '') AS double)"),
            ("-1,234,567.80", "cast(replace(x, ',', '') AS double)"),
            (
                "12.345,60",
                "cast(replace(replace(x, '.', ''), ',', '.') AS double)",
            ),
            ("-4,30", "cast(replace(x, ',', '.') AS double)"),
            ("$5", "cast(replace(x, '$', '') AS double)"),
            ("12 %", "cast(replace(replace(x, '%', ''), ' ', '') AS double)"),
            ("$1,234", "cast(replace(replace(x, '$', ''), ',', '') AS double)"),
            ("n'a", "cast(nullif(x, 'n''a') AS double) if that means null"),
            ("", "cast(nullif(x, '') AS double) if that means null"),
            ("1.2.3", "cast(nullif(x, '1.2.3') AS double) if that means null"),
            ("a\nb", IN_CASE),
            (&long, IN_CASE),
        ];
        for (value, want) in table {
            assert_eq!(as_number("x", value, &DataType::Float64), want, "{value}");
        }
        let whole = "cast(round(cast(x AS double)) AS int) makes whole numbers";
        for (value, to, want) in [
            (
                "12,5",
                DataType::Decimal128(4, 2),
                "cast(replace(x, ',', '.') AS decimal(4,2))",
            ),
            ("123456", DataType::Decimal128(4, 2), MORE_DIGITS),
            ("1,234", DataType::Int64, "cast(replace(x, ',', '') AS int)"),
            ("1.5", DataType::Int64, whole),
            (
                "1e30",
                DataType::Int64,
                "cast(x AS decimal(38,0)), or AS double, holds it",
            ),
            ("n'a", DataType::Date32, "nullif(x, 'n''a') where that means null"),
        ] {
            assert_eq!(about("x", value, &to), want, "{value}");
        }
    }
}
