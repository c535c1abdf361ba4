//! The names of made-up customers.

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Anton", "Beatriz", "Chidi", "Clara", "Daniel", "Elif", "Emil", "Farid", "Greta",
    "Hana", "Ivan", "Jonas", "Kofi", "Lena", "Mateo", "Mei", "Nadia", "Olga", "Pavel", "Priya",
    "Rosa", "Samir", "Tilda", "Umut", "Vera", "Wanda", "Xenia", "Yusuf", "Zoe",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Abara",
    "Bergmann",
    "Castillo",
    "Dimitrov",
    "Eriksen",
    "Fischer",
    "Ganguly",
    "Haddad",
    "Ibsen",
    "Jankowski",
    "Keller",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quist",
    "Rossi",
    "Sato",
    "Tanaka",
    "Ulrich",
    "Varga",
    "Weber",
    "Yilmaz",
    "Zhang",
];

/// Invented: none is meant to be any town.
pub(super) const CITIES: &[&str] = &[
    "Altbruck",
    "Brindlehaven",
    "Corvello",
    "Dunmarsh",
    "Eisenfurt",
    "Fallowmere",
    "Grauhafen",
    "Hollowell",
    "Montresa",
    "Nordby",
    "Ostermark",
    "Pellworth",
    "Ravenna Alta",
    "Seefeld Nord",
    "Tarnow Mill",
    "Westmoor",
];
