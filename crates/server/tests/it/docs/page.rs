//! A page: its blocks, and how each is held.

use std::path::{Path, PathBuf};

/// A Markdown file of the repository.
pub struct Page {
    /// Its path from the root of the repository.
    pub path: String,
    /// All of it.
    pub text: String,
    /// What its blocks are run on.
    pub ground: Vec<String>,
    /// Its fenced blocks.
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// How it is held.
    pub held: Held,
    /// Its lines, without the fence's indentation.
    pub text: String,
}

/// How a block is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Run by bash.
    ShRun,
    /// Run by psql.
    SqlRun,
    /// Its commands exist.
    ShCheck,
    /// It can be planned.
    SqlCheck,
    /// The block before it printed this.
    Output,
    /// Nothing that a reader could type.
    Shown,
    /// The fence does not say.
    Unsaid(String),
}

/// Languages of what is read and not typed.
const SHOWN: [&str; 8] = ["json", "toml", "nginx", "text", "rust", "http", "js", "python"];

impl Held {
    fn of(fence: &str) -> Self {
        match fence.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["sh", "run"] => Self::ShRun,
            ["sql", "run"] => Self::SqlRun,
            ["sh", "check"] => Self::ShCheck,
            ["sql", "check"] => Self::SqlCheck,
            ["json" | "text", "output"] => Self::Output,
            [language] if SHOWN.contains(language) => Self::Shown,
            _ => Self::Unsaid(fence.to_owned()),
        }
    }

    fn is_run(&self) -> bool {
        matches!(self, Self::ShRun | Self::SqlRun)
    }
}

impl Page {
    fn read(root: &Path, path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let ground = text.lines().next().and_then(|line| line.strip_prefix("<!-- run on: ")?.strip_suffix(" -->"));
        Self {
            path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
            ground: ground.map(|words| words.split(", ").map(str::to_owned).collect()).unwrap_or_default(),
            blocks: blocks(&text),
            text,
        }
    }

    /// Whether it has blocks to run.
    pub fn runs(&self) -> bool {
        self.blocks.iter().any(|block| block.held.is_run())
    }

    /// What is wrong with its fences.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut before = None;
        for block in &self.blocks {
            let at = format!("{}:{}", self.path, block.line);
            match &block.held {
                Held::Unsaid(fence) => {
                    faults.push(format!("{at}: a block that does not say how it is held: {fence:?}"));
                }
                Held::Output if !before.is_some_and(Held::is_run) => faults.push(format!("{at}: output of nothing")),
                _ => {}
            }
            before = Some(&block.held);
        }
        if self.runs() == self.ground.is_empty() {
            faults.push(format!("{}: blocks to run and a first line `<!-- run on: … -->` go together", self.path));
        }
        faults
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let indented = line.len() - line.trim_start().len();
        let Some(fence) = line.trim_start().strip_prefix("```") else { continue };
        let inner = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim_start().starts_with("```"));
        let inner: Vec<&str> = inner.map(|line| line.get(indented..).unwrap_or_default()).collect();
        blocks.push(Block { line: index + 1, held: Held::of(fence), text: inner.join("\n") });
    }
    blocks
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Markdown file at the root and below `docs/`, by path.
pub fn all() -> Vec<Page> {
    let root = root();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    collect(&root.join("docs"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.iter().map(|path| Page::read(&root, path)).collect()
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, paths) } else { paths.push(path) }
    }
}

#[test]
fn fences_say_how_their_blocks_are_held() {
    let text =
        "<p>\n```sh run\na\n```\n1. x\n\n   ```sh check\n   b\n     c\n   ```\n```sh\nd\n```\n```json\n{}\n```\n";
    let found: Vec<(usize, Held, String)> =
        blocks(text).into_iter().map(|block| (block.line, block.held, block.text)).collect();
    assert_eq!(
        found,
        [
            (2, Held::ShRun, "a".to_owned()),
            (7, Held::ShCheck, "b\n  c".to_owned()),
            (11, Held::Unsaid("sh".to_owned()), "d".to_owned()),
            (14, Held::Shown, "{}".to_owned()),
        ]
    );
}
