//! What the benchmarks write, line by line, its fields divided by tabs:
//!
//! ```text
//! comparison <name> <at least, or - without a target> <unit of the rate>
//! note <text>
//! sample <round, from 1> <baseline|subject> <measure> <value>
//! ```
//!
//! Notes and samples belong to the comparison before them. The measure `rate` is the one that is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use anyhow::{Context, bail};

/// The measure that is compared.
pub(super) const RATE: &str = "rate";

/// All that one run measured.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Samples {
    pub(super) comparisons: Vec<Comparison>,
}

/// One line of the report, and what it is made of.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Comparison {
    pub(super) name: String,
    /// The target of the subject's rate over the baseline's; `None` for what is only shown.
    pub(super) at_least: Option<f64>,
    /// Of the rate; more is better.
    pub(super) unit: String,
    pub(super) notes: Vec<String>,
    /// In their order; the last may lack a side when measuring was cut short.
    rounds: BTreeMap<u32, Round>,
}

/// Both sides, measured right after each other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Round {
    pub(super) baseline: Measures,
    pub(super) subject: Measures,
}

/// Values by the name of what was measured.
pub(super) type Measures = BTreeMap<String, f64>;

impl Samples {
    /// Reads to the end, also past a line that is not understood, so that the writer can finish.
    ///
    /// # Errors
    /// When a line cannot be read or is not understood; the first such line is named.
    pub(super) fn read(lines: impl Iterator<Item = io::Result<String>>) -> anyhow::Result<Self> {
        let mut samples = Self::default();
        let mut outcome = Ok(());
        for line in lines {
            let line = line.context("cannot read what the benchmarks say")?;
            let taken =
                samples.take(&line).with_context(|| format!("the benchmarks say what nobody understands: {line}"));
            outcome = outcome.and(taken);
        }
        outcome.map(|()| samples)
    }

    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let fields: Vec<&str> = line.split('\t').collect();
        if let ["comparison", name, at_least, unit] = fields.as_slice() {
            let (name, unit) = ((*name).to_owned(), (*unit).to_owned());
            let at_least = if *at_least == "-" { None } else { Some(at_least.parse()?) };
            self.comparisons.push(Comparison { name, unit, at_least, ..Comparison::default() });
            return Ok(());
        }
        let comparison = self.comparisons.last_mut().context("of which comparison?")?;
        match fields.as_slice() {
            ["note", text] => comparison.notes.push((*text).to_owned()),
            ["sample", round, side, measure, value] => {
                let round = comparison.rounds.entry(round.parse()?).or_default();
                let measures = match *side {
                    "baseline" => &mut round.baseline,
                    "subject" => &mut round.subject,
                    _ => bail!("of which side?"),
                };
                measures.insert((*measure).to_owned(), value.parse()?);
            }
            _ => bail!("neither comparison, note nor sample"),
        }
        Ok(())
    }
}

impl Comparison {
    /// The rounds that have a rate of both sides.
    pub(super) fn rounds(&self) -> impl Iterator<Item = &Round> {
        let both = |round: &&Round| round.baseline.contains_key(RATE) && round.subject.contains_key(RATE);
        self.rounds.values().filter(both)
    }

    /// Subject over baseline, of each round.
    pub(super) fn ratios(&self) -> Vec<f64> {
        let ratio = |round: &Round| Some(round.subject.get(RATE)? / round.baseline.get(RATE)?);
        self.rounds().filter_map(ratio).collect()
    }

    /// What was measured besides the rate, of either side.
    pub(super) fn other_measures(&self) -> BTreeSet<&str> {
        let both = self.rounds().flat_map(|round| round.baseline.keys().chain(round.subject.keys()));
        both.map(String::as_str).filter(|measure| *measure != RATE).collect()
    }

    /// One measure of one side, of each round that has it.
    pub(super) fn values(&self, side: fn(&Round) -> &Measures, measure: &str) -> Vec<f64> {
        self.rounds().filter_map(|round| side(round).get(measure).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    fn read(text: &str) -> anyhow::Result<Samples> {
        Samples::read(text.lines().map(|line| Ok(line.to_owned())))
    }

    #[test]
    fn sides_are_compared_within_their_round() {
        let samples = read(
            "comparison\ta over b\t0.85\tchanges/s\n\
             sample\t1\tbaseline\trate\t100\nsample\t1\tbaseline\tp50_ms\t2\nsample\t1\tsubject\trate\t90\n\
             sample\t2\tsubject\trate\t40\nsample\t2\tbaseline\trate\t50\n\
             sample\t3\tsubject\trate\t60\nnote\t8 clients\n",
        )
        .unwrap();
        let [comparison] = samples.comparisons.as_slice() else { panic!("{samples:?}") };
        assert_eq!((comparison.name.as_str(), comparison.at_least), ("a over b", Some(0.85)));
        assert_eq!(comparison.ratios(), [0.9, 0.8], "the third round lacks its baseline");
        assert_eq!(comparison.values(|round| &round.subject, "rate"), [90.0, 40.0]);
        assert_eq!(comparison.other_measures().into_iter().collect::<Vec<_>>(), ["p50_ms"]);
        assert_eq!(comparison.notes, ["8 clients"]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for line in
            ["note\tfirst", "comparison\ta\tmuch\tb", "comparison\ta\t1\tb\nsample\t1\tmiddle\trate\t1", "hello"]
        {
            let last = line.lines().last().unwrap();
            assert!(format!("{:#}", read(line).unwrap_err()).contains(last), "{line}");
        }
    }
}
