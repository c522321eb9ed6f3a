//! Writes the HTML page of three made-up runs: `cargo run -p squall-core --example report_sample > sample.html`.

use std::io::Write;

#[path = "../tests/report/sample.rs"]
mod sample;

fn main() -> std::io::Result<()> {
    let (report, journals) = sample::report();
    let page = squall_core::report::html::render(&report, &journals);
    std::io::stdout().write_all(page.as_bytes())
}
