//! Whose requests are asked for: those of one route, or of several, each with its share of them.

use anyhow::{Context, bail};
use seaworthy_core::call::Route;
use seaworthy_core::fleet::Service;
use seaworthy_sim::planner::{Answer, Assessed, Question};

use super::{Args, amounts, missing, percent};
use crate::command::table::{FAINT, PLAIN, Table, cell};

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

/// What fails of each, if several are asked for.
pub(super) fn by_route(question: &Question<'_>, answer: &Answer) -> String {
    let chosen = answer.chosen();
    let (Ok(now), false) = (&answer.now, question.along.is_empty()) else { return String::new() };
    let others = chosen.map(|chosen| chosen.by_route(question));
    let mut table = Table::new(&["ROUTE", "OF ALL", "THE FILE", "CHOSEN"]);
    for (n, (name, percent, failed)) in now.by_route(question).into_iter().enumerate() {
        let other = others
            .as_ref()
            .map_or_else(|| cell(FAINT, "-"), |others| cell(PLAIN, amounts::share(others[n].2)));
        let [name, percent] = [name, format!("{percent} %")].map(|text| cell(PLAIN, text));
        table.row([name, percent, cell(PLAIN, amounts::share(failed)), other]);
    }
    let total = |one: &Assessed| amounts::share(one.expected.causes.total());
    let other = chosen.map_or_else(|| cell(FAINT, "-"), |chosen| cell(PLAIN, total(chosen)));
    table.row([cell(PLAIN, "all"), cell(PLAIN, "100 %"), cell(PLAIN, total(now)), other]);
    format!("\nWHAT FAILS BY ROUTE: of its own requests\n{}", table.render())
}
