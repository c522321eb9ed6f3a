//! `squall init`: a first system file, from what the project already has.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use squall_core::document::Document;
use squall_core::draft::{Draft, Source, draft};
use squall_core::level::{LevelScope, levels};
use squall_core::system::System;

use super::inputs::{Bad, read};
use super::say;
use super::target::Allow;
use crate::client::Client;
use crate::exit;

/// Looked for when nothing is named; of each row the first that is there.
const USUAL: [&[&str]; 2] = [
    &[
        "compose.yaml",
        "compose.yml",
        "docker-compose.yaml",
        "docker-compose.yml",
    ],
    &["openapi.json", "openapi.yaml", "openapi.yml"],
];

/// From what, and where to.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// A Compose file or an OpenAPI 3 document, also by its address [default: what is in this folder]
    #[arg(long, value_name = "PATH|URL")]
    from: Vec<String>,
    /// The file to write
    #[arg(short, long, default_value = "system.yaml", value_name = "FILE")]
    output: PathBuf,
    /// Write it even if there is one: what is in it is lost
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    allow: Allow,
}

/// Writes it. Answers the exit code.
pub(super) fn init(args: &InitArgs) -> u8 {
    match args.write() {
        Ok(code) => code,
        Err(bad) => {
            bad.say();
            exit::BAD_INPUT
        }
    }
}

impl InitArgs {
    fn write(&self) -> Result<u8, Bad> {
        let name = self.output.display().to_string();
        // Before anything is asked for over the network.
        if !self.force && self.output.symlink_metadata().is_ok() {
            return Err(Bad::Plain(
                format!("{name} is already there"),
                "name another file with -o, or write over it with --force".to_owned(),
            ));
        }
        let sources = self.sources()?;
        for source in &sources {
            say::err(&format!("squall: from {}", source.says()));
        }
        let draft = draft(&folder(&self.output), &sources);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).create_new(!self.force);
        let written = options
            .open(&self.output)
            .and_then(|mut file| file.write_all(draft.text.as_bytes()));
        if let Err(error) = written {
            let remedy = "does its folder exist, and may this user write there?".to_owned();
            return Err(Bad::Plain(format!("{name} can't be written: {error}"), remedy));
        }
        say::out(&summary(&name, &draft));
        Ok(exit::PASS)
    }

    fn sources(&self) -> Result<Vec<Source>, Bad> {
        let named = !self.from.is_empty();
        let from = if named { self.from.clone() } else { usual() };
        if from.is_empty() {
            let names: Vec<&str> = USUAL.iter().flat_map(|row| row.iter().copied()).collect();
            return Err(Bad::Plain(
                "there is nothing here to begin with".to_owned(),
                format!(
                    "looked for {}; name one with --from PATH or --from http://127.0.0.1:PORT/openapi.json",
                    names.join(", ")
                ),
            ));
        }
        let texts: Vec<(String, String)> = from
            .iter()
            .map(|from| match from.contains("://") {
                true => self.fetch(from),
                false => read(Path::new(from)),
            })
            .collect::<Result<_, _>>()?;
        let mut sources = Vec::new();
        let mut wrong = Vec::new();
        for (name, text) in &texts {
            match Source::read(name, text) {
                Ok(source) => sources.push(source),
                Err(mistakes) => wrong.push(mistakes),
            }
        }
        match wrong.is_empty() {
            true => Ok(sources),
            false => Err(Bad::Mistakes(wrong)),
        }
    }

    fn fetch(&self, url: &str) -> Result<(String, String), Bad> {
        let address = self.allow.address(url)?;
        let failed = |why: String| {
            let remedy = "is the system up, and is this where it describes its API?".to_owned();
            Bad::Plain(format!("{url} can't be read: {why}"), remedy)
        };
        let client = Client::at(&address).map_err(|error| failed(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        match runtime.block_on(client.page()) {
            Ok((200, text)) => Ok((url.to_owned(), text)),
            Ok((status, _)) => Err(failed(format!("the answer is {status}"))),
            Err(silence) => Err(failed(silence.words().to_owned())),
        }
    }
}

fn usual() -> Vec<String> {
    let first = |row: &&[&str]| {
        row.iter()
            .find(|name| Path::new(name).is_file())
            .map(|name| (*name).to_owned())
    };
    USUAL.iter().filter_map(first).collect()
}

/// The name of the folder a file will be in.
fn folder(file: &Path) -> String {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let whole = parent.unwrap_or(Path::new(".")).canonicalize();
    let name = whole
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| "system".to_owned())
}

/// What was written, and which lines need a hand.
fn summary(name: &str, draft: &Draft) -> String {
    let mut text = format!(
        "{name}: {} lines, {} guessed, {} to do",
        draft.text.lines().count(),
        draft.guesses,
        draft.todo.len()
    );
    for todo in &draft.todo {
        text += &format!("\n  {name}:{}: {}", todo.line, todo.what);
    }
    text += &match refused(name, &draft.text) {
        None if draft.todo.is_empty() => {
            format!("\nIt is accepted as it stands. Read each guess, then: squall validate {name}")
        }
        None => {
            format!("\nIt can be read as it stands. Do what is to do, read each guess, then: squall validate {name}")
        }
        Some(why) => format!(
            "\nIt is not complete. To mend before it is accepted:\n{}",
            why.trim_end()
        ),
    };
    text
}

/// What `squall validate` would say against it.
fn refused(name: &str, text: &str) -> Option<String> {
    let level = levels().ok()?.into_iter().next()?;
    let read = Document::parse(name, text)
        .and_then(|doc| doc.expand(&LevelScope::new(&level, &[], 1.0)))
        .and_then(|doc| System::read(&doc));
    let mistakes = read.err()?.plain();
    Some(mistakes.lines().map(|line| format!("  {line}\n")).collect())
}
