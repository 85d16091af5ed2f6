//! Reading a policy, line by line.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use super::{MAX_OF_A_KIND, MAX_POLICY_BYTES, Policy, PolicyLog, PolicyWitness, Voice};
use crate::decimal;
use crate::note::VkeyError;
use crate::shown::is_deceptive;

/// The quorum of nobody.
const NONE: &str = "none";

/// A policy that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {fault}")]
pub struct MalformedPolicy {
    /// Which line, from 1; the one behind the last for what is missing.
    pub line: usize,
    /// What is wrong with it.
    pub fault: PolicyFault,
}

/// What can be wrong with a line of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// Longer than any may be.
    #[error("a policy has at most {MAX_POLICY_BYTES} bytes")]
    TooLong,
    /// A control character other than tab and newline.
    #[error("a policy holds no control characters but tabs and line ends")]
    ControlCharacter,
    /// The last line has no end.
    #[error("the last line does not end: the file was cut, or lacks a line end")]
    Cut,
    /// A line of no known kind, or with too few or too many words.
    #[error(
        "expected log <vkey> [<url>], witness <name> <vkey> [<url>], group <name> <number|any|all> <name>…, or quorum <name|none>"
    )]
    Line,
    /// The key is none, or of the wrong kind.
    #[error("{0}")]
    Key(VkeyError),
    /// One public key twice, under whatever names.
    #[error("this public key stands above already")]
    RepeatedKey,
    /// A name that is taken, or that cannot be one.
    #[error("{0:?} is defined already, or reserved")]
    Name(String),
    /// A name of nothing that stands above.
    #[error("{0:?} is no witness and no group that stands above")]
    UnknownName(String),
    /// A name in two groups, or twice in one.
    #[error("{0:?} is a member already, and would count twice")]
    RepeatedMember(String),
    /// Another number than one from 1 to that of the members.
    #[error("{0:?} is neither any, nor all, nor a number from 1 to that of the members")]
    Threshold(String),
    /// No quorum, or a second one.
    #[error("a policy has exactly one quorum line")]
    Quorum,
    /// More of a kind than are read.
    #[error("a policy has at most {MAX_OF_A_KIND} logs, {MAX_OF_A_KIND} witnesses and {MAX_OF_A_KIND} groups")]
    TooMany,
}

impl MalformedPolicy {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match &self.fault {
            PolicyFault::TooLong => "policy_too_long",
            PolicyFault::ControlCharacter => "policy_control_character",
            PolicyFault::Cut => "policy_cut",
            PolicyFault::Line => "policy_line",
            PolicyFault::Key(error) => error.word(),
            PolicyFault::RepeatedKey => "policy_repeated_key",
            PolicyFault::Name(_) => "policy_name",
            PolicyFault::UnknownName(_) => "policy_unknown_name",
            PolicyFault::RepeatedMember(_) => "policy_repeated_member",
            PolicyFault::Threshold(_) => "policy_threshold",
            PolicyFault::Quorum => "policy_quorum",
            PolicyFault::TooMany => "policy_too_many",
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader<'t> {
    logs: Vec<PolicyLog>,
    voices: Vec<Voice>,
    places: HashMap<&'t str, usize>,
    members: HashSet<usize>,
    quorum: Option<Option<usize>>,
}

impl FromStr for Policy {
    type Err = MalformedPolicy;

    /// # Errors
    /// [`MalformedPolicy`] with the first line that is wrong.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(MalformedPolicy { line: 1, fault: PolicyFault::TooLong });
        }
        let mut reader = Reader::default();
        let mut last = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            last = number + 1;
            let at = |fault| MalformedPolicy { line: last, fault };
            let line = line.strip_suffix('\n').ok_or_else(|| at(PolicyFault::Cut))?;
            if line.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
                return Err(at(PolicyFault::ControlCharacter));
            }
            let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            if words.first().is_some_and(|word| !word.starts_with('#')) {
                reader.line(&words).map_err(at)?;
            }
        }
        let Reader { logs, voices, quorum, .. } = reader;
        let quorum = quorum.ok_or(MalformedPolicy { line: last + 1, fault: PolicyFault::Quorum })?;
        Ok(Self { logs, voices, quorum })
    }
}

impl<'t> Reader<'t> {
    fn line(&mut self, words: &[&'t str]) -> Result<(), PolicyFault> {
        match words {
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, least, members @ ..] if !members.is_empty() => self.group(name, least, members),
            ["quorum", name] => self.quorum(name),
            _ => Err(PolicyFault::Line),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), PolicyFault> {
        let log = PolicyLog { key: key.parse().map_err(PolicyFault::Key)?, url: url.map(str::to_owned) };
        if self.logs.iter().any(|other| other.key.public() == log.key.public()) {
            return Err(PolicyFault::RepeatedKey);
        }
        self.logs.push(log);
        if self.logs.len() > MAX_OF_A_KIND { Err(PolicyFault::TooMany) } else { Ok(()) }
    }

    fn witness(&mut self, name: &'t str, key: &str, url: Option<&str>) -> Result<(), PolicyFault> {
        let key: crate::cosignature::WitnessKey = key.parse().map_err(PolicyFault::Key)?;
        let same = |voice: &Voice| matches!(voice, Voice::Witness(other) if other.key.public() == key.public());
        if self.voices.iter().any(same) {
            return Err(PolicyFault::RepeatedKey);
        }
        self.define(name, Voice::Witness(PolicyWitness { name: name.to_owned(), key, url: url.map(str::to_owned) }))
    }

    fn group(&mut self, name: &'t str, least: &str, members: &[&str]) -> Result<(), PolicyFault> {
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let place = self.place(member)?;
            if !self.members.insert(place) {
                return Err(PolicyFault::RepeatedMember((*member).to_owned()));
            }
            places.push(place);
        }
        let least = match least {
            "any" => 1,
            "all" => places.len(),
            number => decimal::parse(number)
                .and_then(|least| usize::try_from(least).ok())
                .filter(|least| (1..=places.len()).contains(least))
                .ok_or_else(|| PolicyFault::Threshold(number.to_owned()))?,
        };
        self.define(name, Voice::Group { name: name.to_owned(), least, members: places })
    }

    fn quorum(&mut self, name: &str) -> Result<(), PolicyFault> {
        let quorum = if name == NONE { None } else { Some(self.place(name)?) };
        if self.quorum.replace(quorum).is_some() { Err(PolicyFault::Quorum) } else { Ok(()) }
    }

    fn place(&self, name: &str) -> Result<usize, PolicyFault> {
        self.places.get(name).copied().ok_or_else(|| PolicyFault::UnknownName(name.to_owned()))
    }

    fn define(&mut self, name: &'t str, voice: Voice) -> Result<(), PolicyFault> {
        // As it stands there it is shown to whoever verifies.
        let is_plain = |c: char| !c.is_whitespace() && !is_deceptive(c);
        if name == NONE || !name.chars().all(is_plain) || self.places.insert(name, self.voices.len()).is_some() {
            return Err(PolicyFault::Name(name.to_owned()));
        }
        let is_witness = |voice: &Voice| matches!(voice, Voice::Witness(_));
        let kind = is_witness(&voice);
        self.voices.push(voice);
        let of_the_kind = self.voices.iter().filter(|voice| is_witness(voice) == kind).count();
        if of_the_kind > MAX_OF_A_KIND { Err(PolicyFault::TooMany) } else { Ok(()) }
    }
}
