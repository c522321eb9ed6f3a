//! Durations as people write them: `150ms`, `2s`, `1.5s`, `5m`, `1h`.

use std::time::Duration;

/// Reads a number followed by `ms`, `s`, `m` or `h`; `None` for anything else.
pub fn parse(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = number.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(value * seconds_per_unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parse("150ms"), Some(Duration::from_millis(150)));
        assert_eq!(parse("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse("1h"), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "2", "s", "-1s", "2 s", "1d", "1e3s", "infs", "2sec"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
