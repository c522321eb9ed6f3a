//! `squall`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(squall::cli::main())
}
