//! The command that asks for the same again.

use super::Choice;
use crate::client::Address;

/// The command that runs one scenario the same way again.
pub(super) fn again(choice: &Choice, attach: Option<&Address>, scenario: &str, seed: u64) -> String {
    let quoted = |text: &str| match text.contains(|c: char| !c.is_alphanumeric() && !"-_./:=%".contains(c)) {
        true => format!("'{}'", text.replace('\'', r"'\''")),
        false => text.to_owned(),
    };
    let system = choice
        .system
        .iter()
        .map(|file| ("--system", file.display().to_string()));
    let sets = choice
        .sets
        .iter()
        .map(|(name, value)| ("--set", format!("{name}={value}")));
    let to = attach.map(|to| ("--base-url", to.base().to_owned()));
    let elsewhere = attach.filter(|to| !to.is_here());
    let named = elsewhere.map(|to| ("--allow-host", to.host().to_owned()));
    let besides = system
        .chain(sets)
        .chain(to)
        .chain(named)
        .fold(String::new(), |text, (flag, value)| {
            format!("{text} {flag} {}", quoted(&value))
        });
    let (level, pace) = (choice.difficulty, choice.pace);
    let jobs = (choice.jobs > 1).then(|| format!(" --jobs {}", choice.jobs));
    format!(
        "squall run -s {} -d {level} --seed {seed} --pace {pace}{besides}{}",
        quoted(scenario),
        jobs.unwrap_or_default()
    )
}
