//! Decimal numbers as amounts use them: digits with an optional fraction; no sign, no exponent.

/// The longest leading decimal of `text`, and what follows it.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let whole = digits(text);
    if whole == 0 {
        return None;
    }
    let end = match text[whole..].strip_prefix('.').map(digits) {
        Some(fraction) if fraction > 0 => whole + 1 + fraction,
        _ => whole,
    };
    Some(text.split_at(end))
}

/// The value of a text that is one decimal and nothing else.
pub(super) fn parse(text: &str) -> Option<f64> {
    match split(text) {
        Some((number, "")) => number.parse().ok(),
        _ => None,
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}
