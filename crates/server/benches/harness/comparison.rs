//! Two ways of doing the same work, measured by turns.
//!
//! Absolute figures of durable work mean little: a commit takes anything from 60 µs to 3 ms on one and the same
//! machine. So both sides are measured in every round, one right after the other, and the side that comes first
//! changes from round to round; whoever reads the samples compares within a round.
//!
//! ```text
//! comparison <name> <at least, or - without a target> <unit of the rate>
//! note <text>
//! sample <round, from 1> <baseline|subject> <measure> <value>
//! ```
//! The fields of a line are divided by tabs. The measure `rate` is the one that is compared; the others are named with
//! their unit, such as `p99_ms`.

use std::fmt;

/// One line of the report.
pub(crate) struct Comparison {
    /// What is compared with what.
    pub(crate) name: &'static str,
    /// The least that the subject's rate over the baseline's should be; `None` for what is only shown.
    pub(crate) at_least: Option<f64>,
    /// What is counted, such as `changes/s`; more is better.
    pub(crate) unit: &'static str,
    /// How often each side is measured.
    pub(crate) rounds: u32,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The work done barely.
    Baseline,
    /// The work as the house does it.
    Subject,
}

/// What one side did in one round.
pub(crate) struct Sample {
    /// In the comparison's unit.
    pub(crate) rate: f64,
    /// What else is worth keeping, each named with its unit.
    pub(crate) also: Vec<(&'static str, f64)>,
}

impl Comparison {
    /// Measures by turns, after a round whose samples are thrown away. Whatever a side leaves to be done must be done
    /// when `measure` returns, or the other side pays for it.
    ///
    /// # Errors
    /// The first that `measure` answers.
    pub(crate) async fn run(&self, mut measure: impl AsyncFnMut(Side) -> anyhow::Result<Sample>) -> anyhow::Result<()> {
        let at_least = self.at_least.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string());
        println!("comparison\t{}\t{at_least}\t{}", self.name, self.unit);
        for round in 0..=self.rounds {
            let mut rates = (0.0, 0.0);
            for side in Side::order(round) {
                let sample = measure(side).await?;
                match side {
                    Side::Baseline => rates.0 = sample.rate,
                    Side::Subject => rates.1 = sample.rate,
                }
                if round > 0 {
                    sample.print(round, side);
                }
            }
            let (baseline, subject) = rates;
            let what = if round > 0 { format!("round {round} of {}", self.rounds) } else { "warm-up".to_owned() };
            eprintln!("{what}: {subject:.0} over {baseline:.0} {}, {:.3}", self.unit, subject / baseline);
        }
        Ok(())
    }

    /// Says something that belongs to the figures: how many of what, on which database.
    pub(crate) fn note(text: &str) {
        println!("note\t{text}");
    }
}

impl Side {
    const fn order(round: u32) -> [Self; 2] {
        if round.is_multiple_of(2) { [Self::Subject, Self::Baseline] } else { [Self::Baseline, Self::Subject] }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::Subject => "subject",
        })
    }
}

impl Sample {
    fn print(&self, round: u32, side: Side) {
        println!("sample\t{round}\t{side}\trate\t{}", self.rate);
        for (measure, value) in &self.also {
            println!("sample\t{round}\t{side}\t{measure}\t{value}");
        }
    }
}
