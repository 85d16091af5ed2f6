//! What is told of a run: a line for each comparison, and a JSON document with every sample.
//!
//! ```text
//! {"format": 1, "date", "commit", "changed": whether the sources differ from it, "machine": {…}, "comparisons": [
//!   {"name", "unit", "at_least", "met", "ratio": {"lowest", "median", "highest"}, "baseline": {measure: {…}, …},
//!    "subject": {…}, "notes": […], "rounds": [{"baseline": {measure: value, …}, "subject": {…}}, …]}, …]}
//! ```
//! `ratio` is the subject's rate over the baseline's, of each round. Without a target `at_least` and `met` are null.

use super::json;
use super::machine::Machine;
use super::samples::{Comparison, Measures, RATE, Round, Samples};
use super::statistics::Spread;

const FORMAT: u32 = 1;

/// How one side is got at.
type OfSide = fn(&Round) -> &Measures;
const BASELINE: OfSide = |round| &round.baseline;
const SUBJECT: OfSide = |round| &round.subject;

/// Ratio, target, spread and both sides; `None` when no round was finished.
pub(super) fn line(comparison: &Comparison) -> Option<String> {
    let Comparison { name, at_least, unit, .. } = comparison;
    let ratio = Spread::of(comparison.ratios())?;
    let (mark, target) = match at_least {
        Some(least) if ratio.median < *least => ("MISSED", format!("at least {least:.2}")),
        Some(least) => ("ok", format!("at least {least:.2}")),
        None => ("", "no target".to_owned()),
    };
    let Spread { lowest, median, highest } = ratio;
    let rounds = comparison.rounds().count();
    let mut line = format!(
        "{mark:<6}  {name}: {median:.3}, {target}; {lowest:.3} to {highest:.3} in {rounds} rounds; \
         medians {:.0} over {:.0} {unit}",
        median_of(comparison, SUBJECT, RATE)?,
        median_of(comparison, BASELINE, RATE)?
    );
    for measure in comparison.other_measures() {
        let subject = median_of(comparison, SUBJECT, measure).map(|value| format!("{value:.2}"));
        let baseline = median_of(comparison, BASELINE, measure).map(|value| format!("{value:.2}"));
        let both: Vec<String> = subject.into_iter().chain(baseline).collect();
        line.push_str(&format!(", {measure} {}", both.join(" over ")));
    }
    Some(line)
}

/// The whole run as JSON.
pub(super) fn document(machine: &Machine, samples: &Samples) -> String {
    let mut members = vec![("format", FORMAT.to_string())];
    members.extend(machine.members());
    members.push(("comparisons", json::array(samples.comparisons.iter().map(comparison_json))));
    json::object(members) + "\n"
}

fn comparison_json(comparison: &Comparison) -> String {
    let ratio = Spread::of(comparison.ratios());
    let null = || "null".to_owned();
    let met = ratio.zip(comparison.at_least).map(|(ratio, least)| (ratio.median >= least).to_string());
    let round = |round: &Round| {
        json::object([("baseline", measures_json(&round.baseline)), ("subject", measures_json(&round.subject))])
    };
    json::object([
        ("name", json::text(&comparison.name)),
        ("unit", json::text(&comparison.unit)),
        ("at_least", comparison.at_least.map_or_else(null, json::number)),
        ("met", met.unwrap_or_else(null)),
        ("ratio", spread_json(ratio)),
        ("baseline", side_json(comparison, BASELINE)),
        ("subject", side_json(comparison, SUBJECT)),
        ("notes", json::array(comparison.notes.iter().map(|note| json::text(note)))),
        ("rounds", json::array(comparison.rounds().map(round))),
    ])
}

fn side_json(comparison: &Comparison, side: OfSide) -> String {
    let mut names: Vec<&str> = comparison.rounds().flat_map(|round| side(round).keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    json::object(names.into_iter().map(|name| (name, spread_json(Spread::of(comparison.values(side, name))))))
}

fn measures_json(measures: &Measures) -> String {
    json::object(measures.iter().map(|(name, value)| (name, json::number(*value))))
}

fn spread_json(spread: Option<Spread>) -> String {
    spread.map_or("null".to_owned(), |Spread { lowest, median, highest }| {
        json::object(
            [("lowest", lowest), ("median", median), ("highest", highest)].map(|(name, n)| (name, json::number(n))),
        )
    })
}

fn median_of(comparison: &Comparison, side: OfSide, measure: &str) -> Option<f64> {
    Spread::of(comparison.values(side, measure)).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::{comparison_json, line};
    use crate::bench::samples::Samples;

    const RUN: &str = "comparison\ta over b\t0.85\tchanges/s\nnote\t8 clients\n\
        sample\t1\tbaseline\trate\t100\nsample\t1\tbaseline\tp50_ms\t2\n\
        sample\t1\tsubject\trate\t90\nsample\t1\tsubject\tp50_ms\t2.5\n\
        sample\t2\tbaseline\trate\t50\nsample\t2\tbaseline\tp50_ms\t4\n\
        sample\t2\tsubject\trate\t40\nsample\t2\tsubject\tp50_ms\t5\nsample\t2\tsubject\tsettled_ms\t300\n";

    fn read(text: &str) -> Samples {
        Samples::read(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
    }

    #[test]
    fn a_line_says_ratio_target_spread_and_both_sides() {
        let samples = read(&format!("{RUN}comparison\tcut short\t1\tx\n"));
        let lines: Vec<String> = samples.comparisons.iter().filter_map(line).collect();
        assert_eq!(
            lines,
            ["ok      a over b: 0.850, at least 0.85; 0.800 to 0.900 in 2 rounds; medians 65 over 75 changes/s, \
              p50_ms 3.75 over 3.00, settled_ms 300.00"]
        );
        let missed = read(&RUN.replace("0.85", "0.86"));
        assert!(missed.comparisons.iter().filter_map(line).all(|line| line.starts_with("MISSED  a over b: 0.850")));
        let shown = read(&RUN.replace("0.85", "-"));
        let [line] = shown.comparisons.iter().filter_map(line).collect::<Vec<_>>().try_into().unwrap();
        assert!(line.starts_with("        a over b: 0.850, no target; 0.800"), "{line}");
    }

    #[test]
    fn the_document_has_every_sample() {
        let samples = read(RUN);
        let documents: Vec<String> = samples.comparisons.iter().map(comparison_json).collect();
        let expected = r#"{"name": "a over b", "unit": "changes/s", "at_least": 0.85, "met": true,
            "ratio": {"lowest": 0.8, "median": 0.8500000000000001, "highest": 0.9},
            "baseline": {"p50_ms": {"lowest": 2, "median": 3, "highest": 4},
            "rate": {"lowest": 50, "median": 75, "highest": 100}},
            "subject": {"p50_ms": {"lowest": 2.5, "median": 3.75, "highest": 5},
            "rate": {"lowest": 40, "median": 65, "highest": 90},
            "settled_ms": {"lowest": 300, "median": 300, "highest": 300}}, "notes": [ "8 clients" ],
            "rounds": [ {"baseline": {"p50_ms": 2, "rate": 100}, "subject": {"p50_ms": 2.5, "rate": 90}},
            {"baseline": {"p50_ms": 4, "rate": 50}, "subject": {"p50_ms": 5, "rate": 40, "settled_ms": 300}} ]}"#;
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(documents.iter().map(|text| one_line(text)).collect::<Vec<_>>(), [one_line(expected)]);
    }
}
