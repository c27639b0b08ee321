//! Sizes as people type them.

/// Bytes in `2GiB`, `512MB`, `64k`, `1.5g`, `4096`. Decimal prefixes are powers of 1000, binary
/// ones (`KiB`) and bare letters (`64k`) of 1024.
pub fn parse(text: &str) -> Result<u64, String> {
    let t = text.trim().to_ascii_lowercase();
    let split = t
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(t.len());
    let (number, unit) = t.split_at(split);
    let factor: u64 = match unit.trim() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(format!("{text:?} is no size; write it as 512MB or 2GiB")),
    };
    let n: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is no size; write it as 512MB or 2GiB"))?;
    let bytes = n * factor as f64;
    if !(1.0..1e18).contains(&bytes) {
        return Err(format!("{text:?} is out of range"));
    }
    Ok(bytes as u64)
}

/// Bytes in the largest fitting binary unit, for people.
pub fn show(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut n = bytes as f64;
    let mut i = 0;
    while n >= 1024.0 && i + 1 < units.len() {
        n /= 1024.0;
        i += 1;
    }
    if i == 0 {
        format!("{bytes} B")
    } else {
        format!("{n:.1} {}", units[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("512MB"), Ok(512_000_000));
        assert_eq!(parse("64k"), Ok(65536));
        assert_eq!(parse("1.5m"), Ok(1_572_864));
        assert!(parse("0").is_err());
        assert!(parse("-1").is_err());
        assert!(parse("lots").is_err());
    }
}
