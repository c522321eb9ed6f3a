//! A command in one line, split into arguments as a shell would split it, and never given to one.

/// What a shell reads as its own; to a program they would be arguments that nobody meant.
const OPERATORS: [&str; 11] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1"];

/// The arguments, the program first. Blanks separate them, but not inside `'…'` or `"…"`; outside `'…'` a `\` takes the next
/// character as it stands.
///
/// # Errors
/// A quote that is not closed, or what only a shell could do, in words that follow "the command".
///
/// ```
/// use squall_core::command::words;
/// assert_eq!(words("grep -c 'two words' log").unwrap(), ["grep", "-c", "two words", "log"]);
/// assert!(words("cat log | wc -l").is_err());
/// ```
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let (mut quote, mut plain) = (None, true);
    let mut chars = line.chars();
    loop {
        let next = chars.next();
        match (quote, next) {
            (Some(open), Some(c)) if c == open => quote = None,
            (Some(open), None) => return Err(format!("has a {open} that is not closed")),
            (None, Some(c @ ('"' | '\''))) => {
                (quote, plain) = (Some(c), false);
                word.get_or_insert_default();
            }
            (None | Some('"'), Some('\\')) => {
                let taken = chars.next().ok_or("ends with a \\ that nothing follows")?;
                // Inside "…" it is itself before most characters.
                let kept = quote.is_some() && !['"', '\\', '$', '`'].contains(&taken);
                let word = word.get_or_insert_default();
                word.extend(kept.then_some('\\').into_iter().chain([taken]));
                plain = false;
            }
            (None, end) if end.is_none_or(char::is_whitespace) => {
                if let Some(word) = word.take() {
                    if plain && OPERATORS.contains(&word.as_str()) {
                        return Err(format!("has a `{word}`, but no shell reads it"));
                    }
                    words.push(word);
                }
                plain = true;
                if end.is_none() {
                    return whole(words);
                }
            }
            (None, Some('$')) if variable(chars.as_str()).is_some() => {
                let name = variable(chars.as_str()).unwrap_or_default();
                return Err(format!("has a `${name}`, but no shell puts its value there"));
            }
            (_, Some(c)) => word.get_or_insert_default().push(c),
            // Both ways to end are above.
            (_, None) => {}
        }
    }
}

/// The name of the variable a shell would see behind a `$`.
fn variable(rest: &str) -> Option<&str> {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let name = &rest[..end.unwrap_or(rest.len())];
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

/// A shell runs the one word after `-c`; those after it are something else to it.
fn whole(words: Vec<String>) -> Result<Vec<String>, String> {
    match words.as_slice() {
        [shell, flag, first, _, ..] if flag == "-c" && !first.contains(char::is_whitespace) && is_shell(shell) => Err(
            format!("gives `{shell} -c` more than one word, of which it would run `{first}` alone"),
        ),
        _ => Ok(words),
    }
}

fn is_shell(program: &str) -> bool {
    ["sh", "bash", "dash", "zsh"].contains(&program.rsplit('/').next().unwrap_or_default())
}

/// The line that [`words`] splits into these arguments.
pub fn line<S: AsRef<str>>(words: &[S]) -> String {
    let quoted = words.iter().map(AsRef::as_ref).map(|word| {
        let special = |c: char| c.is_whitespace() || ['"', '\'', '\\'].contains(&c);
        let filled = word.split('$').skip(1).any(|rest| variable(rest).is_some());
        match word.is_empty() || word.contains(special) || filled || OPERATORS.contains(&word) {
            // A quote ends, stands for itself, and begins again.
            true => format!("'{}'", word.replace('\'', "'\\''")),
            false => word.to_owned(),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// What to do about a command that can't be split.
pub const REMEDY: &str = "where a shell is meant, say so: sh -c '…'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_blanks_and_are_gone() {
        let split = |line| words(line).unwrap();
        assert_eq!(split("  a  b\tc\n"), ["a", "b", "c"]);
        assert_eq!(split(r#"a 'b  c' "d e" f'g h'i"#), ["a", "b  c", "d e", "fg hi"]);
        assert_eq!(
            split(r#"a\ b "c\"d" 'e\f' "g\h" """#),
            ["a b", r#"c"d"#, r"e\f", r"g\h", ""]
        );
        assert_eq!(split(""), Vec::<String>::new());
    }

    #[test]
    fn what_only_a_shell_can_do_is_refused_unless_it_is_quoted() {
        for line in ["a | b", "a && b", "a > b", "a 2>&1"] {
            assert!(words(line).unwrap_err().contains("no shell reads it"), "{line}");
        }
        assert!(
            words("curl $BASE_URL/health")
                .unwrap_err()
                .contains("has a `$BASE_URL`")
        );
        assert!(
            words("/bin/sh -c curl x")
                .unwrap_err()
                .contains("would run `curl` alone")
        );
        assert_eq!(
            words("sh -c 'curl $BASE_URL' x").unwrap(),
            ["sh", "-c", "curl $BASE_URL", "x"]
        );
        assert_eq!(words("sh -c true").unwrap(), ["sh", "-c", "true"]);
        assert_eq!(words("a ${b.c} $1 '$d'").unwrap(), ["a", "${b.c}", "$1", "$d"]);
        assert_eq!(words("sh -c 'a | b'").unwrap(), ["sh", "-c", "a | b"]);
        assert_eq!(words(r#"cut -d "|" \|"#).unwrap(), ["cut", "-d", "|", "|"]);
        assert_eq!(words("a|b ?x=1&y=2").unwrap(), ["a|b", "?x=1&y=2"]);
    }

    #[test]
    fn a_line_made_of_words_is_split_into_them_again() {
        for all in [
            vec!["sh", "-c", "a && b | c"],
            vec!["it's", r"back\slash", "", "|", "\""],
            vec!["plain"],
            vec!["echo", "$HOME", "a$b", "${self.addr}", "$1"],
        ] {
            assert_eq!(words(&line(&all)).unwrap(), all);
        }
    }

    #[test]
    fn a_quote_that_stays_open_is_an_error() {
        assert_eq!(words("a 'b c").unwrap_err(), "has a ' that is not closed");
        assert_eq!(words("a \"b c").unwrap_err(), "has a \" that is not closed");
        assert!(words("a \\").unwrap_err().contains("nothing follows"));
    }
}
