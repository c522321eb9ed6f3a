//! The table, and how several values are told in one cell.

/// One figure.
pub struct Row {
    /// The target's number.
    pub target: &'static str,
    /// What was measured.
    pub what: String,
    /// What it shall be.
    pub goal: String,
    /// What it is.
    pub measured: String,
    /// Whether it is what it shall be; `None` for a figure that only explains another.
    pub met: Option<bool>,
}

/// Prints the rows under each other.
pub fn print(rows: &[Row]) {
    let cells = |row: &Row| {
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "",
        };
        [row.target, &row.what, &row.goal, &row.measured, met].map(str::to_owned)
    };
    let mut lines = vec![["", "what", "target", "measured", ""].map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    for line in &lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// The values, smallest first.
pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which `share` of the sorted values lie (nearest rank).
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// `median [min..max] unit`.
pub fn spread(values: &[f64], digits: usize, unit: &str) -> String {
    let sorted = sorted(values.to_vec());
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    let median = quantile(&sorted, 0.5);
    format!("{median:.digits$} [{least:.digits$}..{most:.digits$}] {unit}")
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    quantile(&sorted(values.to_vec()), 0.5)
}
