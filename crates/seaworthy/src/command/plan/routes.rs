//! Whose requests are asked for: those of one route, or of several, each with its share of them.

use anyhow::{Context, bail};
use seaworthy_core::call::Route;
use seaworthy_core::fleet::Service;
use seaworthy_sim::planner::{Answer, Question, check_share};

use super::{Args, amounts, missing, percent};
use crate::command::table::{PLAIN, Table, cell, known};

/// What comes by one route.
#[derive(Clone, Debug)]
pub(super) struct Share {
    /// None for the one that is asked for.
    route: Option<String>,
    percent: f64,
}

/// No sum of percentages is more exact.
const ROUNDED: f64 = 1e-6;

/// `20%`, or `search=20%`.
pub(super) fn share(text: &str) -> Result<Share, String> {
    match text.split_once('=') {
        Some((name, share)) => Ok(Share { route: Some(name.to_owned()), percent: percent(share)? }),
        None => Ok(Share { route: None, percent: percent(text)? }),
    }
}

/// Each route that is asked for with its percentage of all requests. The first is the one whose settings may be
/// others.
pub(super) fn asked<'a>(
    service: &'a Service,
    args: &Args,
) -> anyhow::Result<Vec<(&'a Route, f64)>> {
    match &args.share[..] {
        [] => Ok(vec![(choose(service, args)?, 100.0)]),
        [Share { route: None, percent }] => Ok(vec![(choose(service, args)?, *percent)]),
        shares => several(service, args, shares),
    }
}

fn several<'a>(
    service: &'a Service,
    args: &Args,
    shares: &[Share],
) -> anyhow::Result<Vec<(&'a Route, f64)>> {
    let routes = &service.call.routes;
    let names = || routes.iter().map(|route| &route.name[..]);
    let mut all: Vec<(&Route, f64)> = Vec::new();
    for Share { route, percent } in shares {
        let Some(name) = route else {
            bail!(
                "--share {percent}%: says not of which route; allowed is NAME=PERCENT for each of several"
            );
        };
        let route = routes.iter().find(|route| route.name == *name);
        let route = route.with_context(|| missing(args, "--share", Some(name), names()))?;
        check_share(&format!("--share {name}"), *percent)?;
        if all.iter().any(|(other, _)| other.name == *name) {
            bail!("--share {name}: is given twice; allowed is one for each route");
        }
        all.push((route, *percent));
    }
    let rest = 100.0 - all.iter().map(|(_, percent)| percent).sum::<f64>();
    let default = routes.last().filter(|last| all.iter().all(|(route, _)| route.name != last.name));
    all.extend(default.filter(|_| rest > ROUNDED).map(|default| (default, rest)));
    if rest < -ROUNDED || default.is_none() && rest > ROUNDED {
        bail!(
            "--share: these are {} % in all; allowed is 100 %, or less without `default`, by which the rest comes",
            100.0 - rest
        );
    }
    let wanted = args.route.as_deref().or(routes.last().map(|default| &default.name[..]));
    let place = all.iter().position(|(route, _)| Some(&route.name[..]) == wanted);
    let place = match (place, &args.route) {
        (None, Some(name)) => {
            bail!("--route {name}: nothing comes by it; allowed is one that has a --share")
        }
        (place, _) => place.unwrap_or(0),
    };
    all.swap(0, place);
    Ok(all)
}

/// The requests of one route: another one's have other deadlines, tries, breakers and bulkheads.
fn choose<'a>(service: &'a Service, args: &Args) -> anyhow::Result<&'a Route> {
    let routes = &service.call.routes;
    let default =
        routes.last().filter(|default| routes.iter().all(|route| is_like(route, default)));
    let find = |name: &String| routes.iter().find(|route| route.name == *name);
    let chosen = args.route.as_ref().map_or(default, find);
    let names = routes.iter().map(|route| &route.name[..]);
    chosen.with_context(|| missing(args, "--route", args.route.as_deref(), names))
}

/// Whether the requests of two routes go alike.
fn is_like(one: &Route, other: &Route) -> bool {
    let Route { name, matches, weights, .. } = other.clone();
    Route { name, matches, weights, ..one.clone() } == *other
}

/// What fails of each, if several are asked for; nothing where none can work.
pub(super) fn by_route(question: &Question<'_>, answer: &Answer) -> String {
    let both = [answer.now.as_ref().ok(), answer.chosen()];
    if question.along.is_empty() || both.iter().all(Option::is_none) {
        return String::new();
    }
    let mut table = Table::new(&["ROUTE", "OF ALL", "THE FILE", "CHOSEN"]);
    let mut row = |name: &str, percent: f64, failed: [Option<f64>; 2]| {
        let [own, other] = failed.map(|failed| known(failed.map(amounts::share)));
        table.row([cell(PLAIN, name), cell(PLAIN, format!("{percent} %")), own, other]);
    };
    let by_route = both.map(|one| one.map(|one| one.by_route(question)));
    for (n, (route, percent)) in question.shares().enumerate() {
        let of_route = |one: &Option<Vec<(String, f64, f64)>>| one.as_ref().map(|all| all[n].2);
        row(&route.name, percent, by_route.each_ref().map(of_route));
    }
    row("all", 100.0, both.map(|one| one.map(|one| one.expected.causes.total())));
    format!("\nWHAT FAILS BY ROUTE: of its own requests\n{}", table.render())
}
