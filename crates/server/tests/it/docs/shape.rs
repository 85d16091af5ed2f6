//! Shell lines that cannot be run in a test: that what they call exists, with these subcommands and options.
//!
//! A small reader of shell: words, quotes, comments, pipes, redirections, `$(…)`. What it does not know (loops, here
//! documents) is for blocks that are run.

use std::iter::Peekable;
use std::path::Path;
use std::process::Stdio;
use std::str::Chars;

use tokio::process::Command;

use super::page;

/// Programs that are not ours. A misspelt one of ours is none of these.
const OTHERS: [&str; 13] = [
    "cat",
    "cd",
    "curl",
    "df",
    "export",
    "git",
    "journalctl",
    "jq",
    "pass",
    "pg_isready",
    "printf",
    "psql",
    "systemctl",
];
/// They call what follows them.
const CALLERS: [&str; 3] = ["sudo", "env", "xargs"];

/// What is wrong with a block.
pub async fn faults(block: &str) -> Vec<String> {
    let mut commands = Vec::new();
    read_commands(&mut block.chars().peekable(), None, &mut commands);
    let mut faults = Vec::new();
    for command in &commands {
        let words = called(command);
        let Some((program, arguments)) = words.split_first() else { continue };
        let fault = match program.as_str() {
            "bailiwick" | "bailiwickd" => of_ours(program, arguments).await,
            "cargo" => of_cargo(arguments),
            other if OTHERS.contains(&other) => None,
            other => Some(format!("nobody knows the program {other}")),
        };
        faults.extend(fault.map(|fault| format!("{}: {fault}", words.join(" "))));
    }
    if commands.is_empty() {
        faults.push("no command in it".to_owned());
    }
    faults
}

/// The words from the program on: without assignments before it, and behind programs that call another.
fn called(words: &[String]) -> &[String] {
    let assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    let mut words = words;
    while let [first, rest @ ..] = words {
        if assignment(first) {
            words = rest;
        } else if CALLERS.contains(&first.as_str()) {
            // Options of the caller, each with at most one value.
            let ours = rest.iter().position(|word| word.starts_with("bailiwick"));
            words = ours.map_or(&[], |at| &rest[at..]);
        } else {
            break;
        }
    }
    words
}

/// Walks down the subcommands by their help, and looks every option up in it.
async fn of_ours(program: &str, arguments: &[String]) -> Option<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut help = help(program, &path).await;
    for word in arguments {
        let option = word.split('=').next().unwrap_or(word);
        if option.starts_with('-') {
            if !help.split([' ', ',', '\n', '[', '=', ']']).any(|known| known == option) {
                return Some(format!("no option {option}"));
            }
        } else if let Some(subcommands) = subcommands(&help) {
            if !subcommands.iter().any(|known| known == word) {
                return Some(format!("no subcommand {word}"));
            }
            path.push(word);
            help = self::help(program, &path).await;
        }
    }
    subcommands(&help).map(|all| format!("one of {all:?} is missing"))
}

async fn help(program: &str, path: &[&str]) -> String {
    let file = Path::new(env!("CARGO_BIN_EXE_bailiwickd")).with_file_name(program);
    let output = Command::new(file).args(path).arg("--help").stdin(Stdio::null()).output().await.unwrap();
    assert!(output.status.success(), "{program} {path:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// The names in the help's list of commands, if it has one.
fn subcommands(help: &str) -> Option<Vec<String>> {
    let (_, list) = help.split_once("\nCommands:\n")?;
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    Some(names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect())
}

/// `cargo xtask …` by its usage text; `cargo build` by the packages that there are.
fn of_cargo(arguments: &[String]) -> Option<String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["xtask", command, rest @ ..] => {
            let source = std::fs::read_to_string(page::root().join("crates/xtask/src/main.rs")).unwrap();
            let usage = source.split("const USAGE").nth(1).unwrap().split("\";").next().unwrap().to_owned();
            let line = usage.lines().find(|line| line.trim_start().split(' ').next() == Some(command));
            match line {
                None => Some(format!("no command {command}")),
                Some(line) => rest
                    .iter()
                    .find(|word| word.starts_with('-') && !line.contains(**word))
                    .map(|word| format!("no option {word}")),
            }
        }
        ["build", "--release", "--package", package] => {
            let member = package.strip_prefix("bailiwick-").unwrap_or(package);
            (!page::root().join("crates").join(member).join("Cargo.toml").exists())
                .then(|| format!("no package {package}"))
        }
        _ => Some("not a call of cargo that is known here".to_owned()),
    }
}

/// Reads commands up to the end, or to the parenthesis that closes a `$(`.
fn read_commands(chars: &mut Peekable<Chars<'_>>, until: Option<char>, commands: &mut Vec<Vec<String>>) {
    let mut words: Vec<String> = Vec::new();
    let mut into_file = false;
    while let Some(&c) = chars.peek() {
        match c {
            _ if Some(c) == until => {
                chars.next();
                break;
            }
            ' ' => drop(chars.next()),
            '\\' => {
                chars.next();
                assert_eq!(chars.next(), Some('\n'), "a backslash goes on with the next line");
            }
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '\n' | ';' | '|' | '&' => {
                chars.next();
                commands.push(std::mem::take(&mut words));
            }
            '<' | '>' => {
                chars.next();
                assert!(!matches!(chars.peek(), Some('<')), "a here document is for blocks that are run");
                into_file = true;
            }
            _ => {
                let word = read_word(chars, until, commands);
                if std::mem::take(&mut into_file) {
                    continue;
                }
                words.push(word);
            }
        }
    }
    commands.push(words);
    commands.retain(|words| !words.is_empty());
}

fn read_word(chars: &mut Peekable<Chars<'_>>, until: Option<char>, commands: &mut Vec<Vec<String>>) -> String {
    let mut word = String::new();
    let mut quote = None;
    while let Some(&c) = chars.peek() {
        match (quote, c) {
            (None, c) if " \n;|&<>".contains(c) || Some(c) == until => break,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '$') => {
                chars.next();
                if chars.next_if_eq(&'(').is_some() {
                    read_commands(chars, Some(')'), commands);
                } else {
                    word.push('$');
                }
                continue;
            }
            (_, c) => word.push(c),
        }
        chars.next();
    }
    assert!(quote.is_none(), "a quote is left open: {word}");
    word
}

#[test]
fn commands_are_found_wherever_they_stand() {
    let read = |text: &str| {
        let mut commands = Vec::new();
        read_commands(&mut text.chars().peekable(), None, &mut commands);
        commands.iter().map(|words| called(words).join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(read("a b   # c d\n\ne \"f g\" 'h | i'"), ["a b", "e f g h | i"]);
    assert_eq!(read("a < b | c > d && X=1 e \\\n  f"), ["a", "c", "e f"]);
    assert_eq!(read("x=$(a b -c \"$(d)\") e"), ["d", "a b -c ", "e"]);
    assert_eq!(read("a | xargs -n 1 bailiwick keys revoke"), ["a", "bailiwick keys revoke"]);
}

#[tokio::test]
async fn what_is_misspelt_is_named() {
    for (line, fault) in [
        ("bailiwick keys lst", "no subcommand lst"),
        ("bailiwick keys list --limt 3", "no option --limt"),
        ("bailiwick keys", "is missing"),
        ("bailiwickd serve --confg x", "no option --confg"),
        ("bailiwickd reference codes", ""),
        ("bailiwick keys list -o json | jq '.[]'", ""),
        ("cargo xtask tset", "no command tset"),
        ("cargo xtask test --fast", "no option --fast"),
        ("cargo build --release --package bailiwick-clu", "no package"),
        ("bailiwik keys list", "nobody knows"),
        ("# nothing", "no command"),
    ] {
        let found = faults(line).await;
        assert!(
            if fault.is_empty() { found.is_empty() } else { found.iter().any(|said| said.contains(fault)) },
            "{line}: {found:?}"
        );
    }
}
