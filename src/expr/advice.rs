//! What to do about texts that were to be numbers. Never what leaves rows out without a word: `try_cast` makes every
//! value null that it cannot read, and a sum goes on without them.

use super::cast::parse_float;

/// Whether a text is no number.
pub fn is_no_number(text: &str) -> bool {
    parse_float(text).is_none()
}

/// How `x`, whose value this is, becomes a number.
pub(super) fn as_number(x: &str, value: &str) -> String {
    let v = value.trim();
    let cast = |inner: String| format!("cast({inner} AS double)");
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
    let quoted = value.replace('\'', "''");
    format!("cast(nullif({x}, '{quoted}') AS double) if that means null")
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
        as_number(x, value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_by_the_look_of_a_value() {
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
        ];
        for (value, want) in table {
            assert_eq!(as_number("x", value), want, "{value}");
        }
    }
}
