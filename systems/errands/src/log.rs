//! What the processes say of themselves, on standard error.

use std::io::Write;

/// One line. Nobody reading it is no failure.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "errands: {text}");
}
