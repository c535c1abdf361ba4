//! What drills have measured, from the JSON that `seaworthy drill --json` writes.

use seaworthy_core::fleet::Service;
use serde::Deserialize;

use crate::availability::Span;

/// The part of a drill's report that a planner can use.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    schema: u32,
    simulated: bool,
    cells: Vec<Cell>,
}

#[derive(Clone, Debug, Deserialize)]
struct Cell {
    /// Those of a comparison that was judged again have neither this nor times.
    scale: Option<f64>,
    verdict: String,
    #[serde(default)]
    replacements: Vec<Replacement>,
    /// Reports of earlier versions have none.
    #[serde(default)]
    detections: Vec<Detection>,
}

#[derive(Clone, Debug, Deserialize)]
struct Replacement {
    /// Reports of earlier versions name none.
    service: Option<String>,
    own_start_ms: Option<f64>,
    window_ms: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Detection {
    service: Option<String>,
    fault: String,
    took_ms: Option<f64>,
}

/// What drills have measured, in seconds, at life size.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Of this service.
    service: String,
    /// From the start of a process to its readiness.
    starts: Vec<f64>,
    /// From the end of a task to its replacement in rotation.
    windows: Vec<f64>,
    /// From the moment at which a task hangs to the end of its requests.
    detections: Vec<f64>,
    /// So many tasks that hung got requests as long as they did,
    never: usize,
    /// and of so many nobody knows what it would be at life size.
    left_out: usize,
    /// Whether requests tell of a hang as well.
    by_requests: bool,
}

/// The only one there is.
const SCHEMA: u32 = 1;
/// No drill takes longer than a day.
const MOST_MS: f64 = 86_400_000.0;
/// None is so much faster than life.
const MOST_SCALE: f64 = 1e6;
/// How a report calls a task that stands still.
const HANG: &str = "hang";

// === impl Evidence ===

impl Evidence {
    /// Of nothing yet, for this service.
    pub fn of(service: &Service) -> Self {
        let by_requests = service.health.passive.is_some();
        Self { service: service.name.clone(), by_requests, ..Self::default() }
    }

    /// Takes in one report. A cell that measured nothing that could be judged counts for nothing.
    pub fn add(&mut self, report: &Report) -> Result<(), String> {
        if report.schema != SCHEMA {
            return Err(format!("its schema is {}; allowed is {SCHEMA}", report.schema));
        }
        if report.simulated {
            let problem = "is of a drill with --sim, which measures nothing; allowed are live ones";
            return Err(problem.to_owned());
        }
        for cell in report.cells.iter().filter(|cell| cell.verdict != "invalid") {
            let scale = cell.scale()?;
            let own = &self.service;
            let is_own = |service: &Option<String>| service.as_ref().is_none_or(|its| its == own);
            for replacement in cell.replacements.iter().filter(|one| is_own(&one.service)) {
                let Some(start) = replacement.own_start_ms else { continue };
                self.starts.push(start / 1000.0);
                // One that hangs may end when the next one serves already, and then there was none.
                let is_one = |window: &f64| *window > 0.0 && *window >= start;
                // A task's own start is not scaled, and all else is.
                let window = |window: f64| ((window - start) * scale + start) / 1000.0;
                self.windows.extend(replacement.window_ms.filter(is_one).map(window));
            }
            // What requests take to tell is not scaled, and which of them a drill has measured nobody knows.
            let is_known = scale <= 1.0 || !self.by_requests;
            let is_hang = |one: &&Detection| one.fault == HANG && is_own(&one.service);
            for hang in cell.detections.iter().filter(is_hang) {
                match hang.took_ms {
                    _ if !is_known => self.left_out += 1,
                    Some(took) => self.detections.push(took * scale / 1000.0),
                    None => self.never += 1,
                }
            }
        }
        Ok(())
    }

    /// From the start of a process to its readiness.
    pub fn starts(&self) -> Measured<'_> {
        Measured(&self.starts)
    }

    /// From the end of a task to its replacement in rotation.
    pub fn windows(&self) -> Measured<'_> {
        Measured(&self.windows)
    }

    /// From the moment at which a task hangs to the end of its requests.
    pub fn detections(&self) -> Measured<'_> {
        Measured(&self.detections)
    }

    /// How many tasks that hung got requests as long as they did: of those times it is only known that they are longer.
    pub fn never_found(&self) -> usize {
        self.never
    }

    /// How many hung in drills that are faster than life, where requests tell of a hang as well: in times that are not.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether no drill did what there could be plans with.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.detections.is_empty() && self.left_out + self.never == 0
    }
}

// === impl Cell ===

impl Cell {
    /// How many times faster than life it was. Nobody has measured what never was.
    fn scale(&self) -> Result<f64, String> {
        let replaced = self.replacements.iter().flat_map(|r| [r.own_start_ms, r.window_ms]);
        let times = replaced.chain(self.detections.iter().map(|detection| detection.took_ms));
        if let Some(time) = times.flatten().find(|time| !(0.0..=MOST_MS).contains(time)) {
            return Err(format!("{time} ms were measured; allowed is 0 to {MOST_MS} (a day)"));
        }
        match self.scale {
            Some(scale) if (1.0..=MOST_SCALE).contains(&scale) => Ok(scale),
            Some(scale) => Err(format!("a cell's scale is {scale}; allowed is 1 to {MOST_SCALE}")),
            None => Err("has cells without scale, as of a comparison that was judged again with --measured, \
                         which keeps no times; allowed are reports of what was just measured"
                .to_owned()),
        }
    }
}

/// Several measurements of one thing.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a>(&'a [f64]);

// === impl Measured ===

impl Measured<'_> {
    /// How many there are.
    pub fn count(self) -> usize {
        self.0.len()
    }

    /// The shortest and the longest; none if there is none.
    pub fn span(self) -> Option<Span> {
        let low = self.0.iter().copied().min_by(f64::total_cmp)?;
        Some((low, self.0.iter().copied().max_by(f64::total_cmp)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(fault: &str, took_ms: Option<f64>) -> Detection {
        Detection { service: None, fault: fault.to_owned(), took_ms }
    }

    fn cell(scale: f64, verdict: &str) -> Cell {
        Cell {
            scale: Some(scale),
            verdict: verdict.to_owned(),
            replacements: vec![
                Replacement { service: None, own_start_ms: Some(61.0), window_ms: Some(8317.0) },
                Replacement { service: None, own_start_ms: None, window_ms: None },
            ],
            detections: vec![
                detection(HANG, Some(900.0)),
                detection(HANG, None),
                detection("500", Some(50.0)),
            ],
        }
    }

    fn add(evidence: &mut Evidence, cells: Vec<Cell>) -> Result<(), String> {
        evidence.add(&Report { schema: 1, simulated: false, cells })
    }

    #[test]
    fn a_start_is_not_scaled_and_all_else_is() {
        let mut evidence = Evidence::default();
        let cells = vec![cell(10.0, "as_expected"), cell(1.0, "deviates"), cell(1.0, "invalid")];
        add(&mut evidence, cells).unwrap();
        let starts = evidence.starts();
        assert_eq!((starts.count(), starts.span()), (2, Some((0.061, 0.061))));
        let (low, high) = evidence.windows().span().unwrap();
        assert!((low - 8.317).abs() < 1e-9 && (high - 82.621).abs() < 1e-9, "{low} to {high}");
        assert_eq!(evidence.detections().span(), Some((0.9, 9.0)));
        assert_eq!(evidence.never_found(), 2);
    }

    #[test]
    fn only_what_is_of_the_service_counts() {
        let mut evidence = Evidence { service: "store".to_owned(), ..Evidence::default() };
        let mut cells = vec![cell(1.0, "as_expected"), cell(1.0, "as_expected")];
        for (cell, service) in cells.iter_mut().zip(["store", "orders"]) {
            let of = || Some(service.to_owned());
            cell.replacements.iter_mut().for_each(|one| one.service = of());
            cell.detections.iter_mut().for_each(|one| one.service = of());
        }
        add(&mut evidence, cells).unwrap();
        assert_eq!((evidence.starts().count(), evidence.never_found()), (1, 1));
    }

    /// It was retired when the one that takes its place had begun, or served.
    #[test]
    fn what_ends_after_its_successor_has_begun_leaves_no_window() {
        let mut evidence = Evidence::default();
        let replacement = |start: f64, window: f64| Replacement {
            service: None,
            own_start_ms: Some(start),
            window_ms: Some(window),
        };
        let replacements = vec![
            replacement(61.0, 0.0),
            replacement(0.0, 0.0),
            replacement(61.0, 60.0),
            replacement(61.0, 61.0),
            replacement(61.0, 8317.0),
        ];
        add(&mut evidence, vec![Cell { replacements, ..cell(10.0, "as_expected") }]).unwrap();
        assert_eq!((evidence.starts().count(), evidence.windows().count()), (5, 2));
        let (low, high) = evidence.windows().span().unwrap();
        assert!((low - 0.061).abs() < 1e-9 && (high - 82.621).abs() < 1e-9, "{low} to {high}");
    }

    /// Ten times as fast, requests take as long to tell as ever.
    #[test]
    fn where_requests_tell_of_a_hang_only_life_size_does() {
        let mut evidence = Evidence { by_requests: true, ..Evidence::default() };
        add(&mut evidence, vec![cell(10.0, "as_expected")]).unwrap();
        assert_eq!((evidence.detections().count(), evidence.never_found()), (0, 0));
        assert_eq!(evidence.left_out(), 2);
        add(&mut evidence, vec![cell(1.0, "as_expected")]).unwrap();
        assert_eq!(evidence.detections().span(), Some((0.9, 0.9)));
    }

    #[test]
    fn what_nobody_has_measured_is_refused() {
        let mut evidence = Evidence::default();
        let wrong = evidence.add(&Report { schema: 2, simulated: false, cells: vec![] });
        assert_eq!(wrong, Err("its schema is 2; allowed is 1".to_owned()));
        let simulated = evidence.add(&Report { schema: 1, simulated: true, cells: vec![] });
        assert!(simulated.unwrap_err().contains("--sim"));
        let judged_again = "schema = 1\nsimulated = false\n[[cells]]\nverdict = \"as_expected\"";
        let wrong = evidence.add(&toml::from_str(judged_again).unwrap());
        assert!(wrong.unwrap_err().contains("--measured"));
        let mut before = cell(1.0, "as_expected");
        before.replacements[0].window_ms = Some(-1.0);
        let wrong = add(&mut evidence, vec![before]);
        assert_eq!(wrong, Err("-1 ms were measured; allowed is 0 to 86400000 (a day)".to_owned()));
        let mut endless = cell(1.0, "as_expected");
        endless.replacements[0].own_start_ms = Some(1e8);
        let wrong = add(&mut evidence, vec![endless]).unwrap_err();
        assert!(wrong.starts_with("100000000 ms were measured"), "{wrong}");
        let wrong = add(&mut evidence, vec![cell(0.0, "deviates")]);
        assert_eq!(wrong, Err("a cell's scale is 0; allowed is 1 to 1000000".to_owned()));
        assert!(evidence.is_empty());
    }
}
