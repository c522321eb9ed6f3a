//! The reports of a run, in its folder.

use squall_core::journal::Journal;
use squall_core::report::{Report, html, json, junit, markdown, report};

use crate::store::Folder;
use crate::world::Trouble;

/// Judges journals and writes every format of the report into a folder.
pub(super) fn write_reports(folder: &Folder, journals: &[Journal]) -> Result<Report, Trouble> {
    let (planned, left_out) = folder.planned();
    let report = report(journals).of_planned(&planned).without(left_out);
    let files = [
        ("report.json", json::render(&report)),
        ("report.md", markdown::render(&report)),
        ("junit.xml", junit::render(&report)),
        ("report.html", html::render(&report, journals)),
    ];
    for (name, text) in files {
        folder
            .write(name, &text)
            .map_err(Trouble::io(folder.path().join(name).display().to_string()))?;
    }
    Ok(report)
}
