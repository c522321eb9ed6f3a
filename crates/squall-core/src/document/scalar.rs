//! What a plain scalar means: the core schema of YAML 1.2.2, §10.3.2.

use super::node::Content;

/// The value of an unquoted scalar. What looks like no other type is text; so are `yes`, `no`, `on`
/// and `off`, which are truths in YAML 1.1 only.
pub(super) fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Content::Float(f64::NAN),
        _ => int(text)
            .map(Content::Int)
            .or_else(|| float(text).map(Content::Float))
            .unwrap_or_else(|| Content::Str(text.to_owned())),
    }
}

fn int(text: &str) -> Option<i128> {
    let based = |digits: &str, base| {
        // from_str_radix would take a sign here; YAML does not.
        let signed = digits.starts_with(['+', '-']);
        (!signed).then(|| i128::from_str_radix(digits, base).ok())?
    };
    match text.get(..2) {
        Some("0o") => based(&text[2..], 8),
        Some("0x") => based(&text[2..], 16),
        _ => text.parse().ok(),
    }
}

fn float(text: &str) -> Option<f64> {
    let magnitude = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let ".inf" | ".Inf" | ".INF" = magnitude {
        return Some(f64::INFINITY);
    }
    // Rust also parses `inf` and `nan`, which are text here.
    let starts_as_number = magnitude.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    starts_as_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_the_core_schema() {
        assert_eq!(plain("~"), Content::Null);
        assert_eq!(plain("TRUE"), Content::Bool(true));
        assert_eq!(plain("-12"), Content::Int(-12));
        assert_eq!(plain("0o17"), Content::Int(15));
        assert_eq!(plain("0xff"), Content::Int(255));
        assert_eq!(plain("18446744073709551615"), Content::Int(u64::MAX.into()));
        assert_eq!(plain("1.5e3"), Content::Float(1500.0));
        assert_eq!(plain(".5"), Content::Float(0.5));
        assert_eq!(plain("-.inf"), Content::Float(f64::INFINITY));
    }

    #[test]
    fn what_looks_like_no_other_type_is_text() {
        for text in [
            "yes", "off", "inf", "nan", "0x", "0x-1", "1_000", "10/s", "1.2.3", "-", ".", "é",
        ] {
            assert_eq!(plain(text), Content::Str(text.to_owned()));
        }
    }
}
