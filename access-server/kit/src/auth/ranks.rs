//! Where somebody has which rank: at the whole site, in some of its places, or both.
//!
//! A place is an area of the site, by its number, with all that lies in it. Which areas there are is for the slice that has
//! them to say; here they are numbers.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::AnyConnection;

use super::Role;
use super::operators::{OperatorId, role};
use crate::state::Tx;

crate::statements! {
    PLACES = "SELECT place, role FROM operator_place WHERE operator = $1";
    ALL_PLACES = "SELECT operator, place, role FROM operator_place";
    FORGET = "DELETE FROM operator_place WHERE operator = $1";
    ADD_PLACE = "INSERT INTO operator_place (operator, place, role) VALUES ($1, $2, $3)";
}

/// Places of one operator at most.
pub const MOST_PLACES: usize = 64;
/// Stands for the whole site among the rows.
const SITE: i64 = 0;

/// The rank of somebody, and where they have it. It is never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ranks {
    site: Option<Role>,
    /// Those above the site's.
    places: BTreeMap<u64, Role>,
}

/// Why ranks are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RanksError {
    /// There is no rank anywhere.
    #[error("there is no rank, neither at the site nor in a place of it")]
    Nowhere,
    /// Operators, tokens and the site's own settings belong to no place.
    #[error("an administrator is one at the whole site")]
    Administrator,
    /// More than [`MOST_PLACES`].
    #[error("there are more than {MOST_PLACES} places")]
    Many,
    /// A number that no place has.
    #[error("there is no place {0}")]
    Place(u64),
}

impl Ranks {
    /// A rank at the site, and other ones in places of it; a place where it would not be higher is not kept.
    ///
    /// # Errors
    /// When there is none at all, somebody would be administrator of a place, or there are too many.
    pub fn new(
        site: Option<Role>,
        places: impl IntoIterator<Item = (u64, Role)>,
    ) -> Result<Self, RanksError> {
        let mut kept = BTreeMap::new();
        for (place, role) in places {
            if place == 0 || i64::try_from(place).is_err() {
                return Err(RanksError::Place(place));
            }
            if role == Role::Administrator {
                return Err(RanksError::Administrator);
            }
            if Some(role) > site {
                kept.insert(place, role);
            }
            if kept.len() > MOST_PLACES {
                return Err(RanksError::Many);
            }
        }
        if site.is_none() && kept.is_empty() {
            return Err(RanksError::Nowhere);
        }
        Ok(Self { site, places: kept })
    }

    /// The rank at the whole site, which holds in every place; `None` for somebody who has one in places alone.
    #[must_use]
    pub fn at_site(&self) -> Option<Role> {
        self.site
    }

    /// The places where it is higher.
    #[must_use]
    pub fn places(&self) -> &BTreeMap<u64, Role> {
        &self.places
    }

    /// The highest rank anywhere.
    #[must_use]
    pub fn highest(&self) -> Role {
        let highest = self.places.values().copied().chain(self.site).max();
        highest.expect("it is never empty")
    }

    /// As the journal says it: a place and a rank each, no place for the whole site.
    pub(super) fn journaled(&self) -> serde_json::Value {
        let site = self.site.map(|role| json!({ "role": role.as_str() }));
        let places = self.places.iter().map(|(place, role)| json!({ "place": place, "role": role.as_str() }));
        site.into_iter().chain(places).collect()
    }

    /// The same, with each rank told as another one that does not turn the order round; for what is drawn for many.
    #[must_use]
    pub fn told_as(&self, told: impl Fn(Role) -> Role) -> Self {
        let site = self.site.map(&told);
        let places = self.places.iter().map(|(place, role)| (*place, told(*role)));
        Self { site, places: places.filter(|(_, role)| Some(*role) > site).collect() }
    }
}

impl From<Role> for Ranks {
    /// This rank everywhere.
    fn from(role: Role) -> Self {
        Self { site: Some(role), places: BTreeMap::new() }
    }
}

/// The rows of somebody whose highest rank is known; `None` while somebody else changes them.
pub(super) async fn read(
    connection: &mut AnyConnection,
    operator: i64,
    highest: Role,
) -> Result<Option<Ranks>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(PLACES).bind(operator).fetch_all(connection).await?;
    of_rows(rows, highest)
}

/// Those of everybody whose rank is not the same everywhere.
pub(super) async fn read_all(
    connection: &mut AnyConnection,
) -> Result<BTreeMap<i64, Vec<(i64, i64)>>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(ALL_PLACES).fetch_all(connection).await?;
    let mut all: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for (operator, place, rank) in rows {
        all.entry(operator).or_default().push((place, rank));
    }
    Ok(all)
}

pub(super) fn of_rows(rows: Vec<(i64, i64)>, highest: Role) -> Result<Option<Ranks>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(Some(highest.into()));
    }
    let rows = rows.into_iter().map(|(place, rank)| Ok((place, role(rank)?)));
    let rows = rows.collect::<Result<Vec<_>, sqlx::Error>>()?;
    let site = rows.iter().find(|(place, _)| *place == SITE).map(|(_, role)| *role);
    let places = rows.into_iter().filter(|(place, _)| *place != SITE);
    let ranks = Ranks::new(site, places.map(|(place, role)| (place.cast_unsigned(), role)));
    let ranks = ranks.map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Some(ranks).filter(|ranks| ranks.highest() == highest))
}

/// Puts somebody's places in place of those before; their highest rank is written beside it.
pub(super) async fn write(tx: &mut Tx, operator: OperatorId, ranks: &Ranks) -> Result<(), sqlx::Error> {
    sqlx::query(FORGET).bind(operator.0).execute(&mut **tx).await?;
    if ranks.places.is_empty() {
        return Ok(());
    }
    let site = ranks.site.map(|role| (SITE, role));
    let places = ranks.places.iter().map(|(place, role)| (place.cast_signed(), *role));
    for (place, role) in site.into_iter().chain(places) {
        let add = sqlx::query(ADD_PLACE).bind(operator.0).bind(place);
        add.bind(i64::from(role.rank())).execute(&mut **tx).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_somewhere_and_a_place_adds_to_the_sites() {
        let of = |site, places: &[(u64, Role)]| Ranks::new(site, places.iter().copied());
        assert_eq!(of(None, &[]), Err(RanksError::Nowhere));
        assert_eq!(of(None, &[(0, Role::Viewer)]), Err(RanksError::Place(0)));
        assert_eq!(of(None, &[(u64::MAX, Role::Viewer)]), Err(RanksError::Place(u64::MAX)));
        assert_eq!(of(Some(Role::Viewer), &[(7, Role::Administrator)]), Err(RanksError::Administrator));
        assert_eq!(of(Some(Role::Operator), &[(7, Role::Guard)]), Ok(Role::Operator.into()));
        let ranks = of(Some(Role::Viewer), &[(7, Role::Manager), (8, Role::Guard)]).unwrap();
        assert_eq!((ranks.at_site(), ranks.highest()), (Some(Role::Viewer), Role::Manager));
        let many = (1..=65).map(|place| (place, Role::Guard));
        assert_eq!(Ranks::new(None, many), Err(RanksError::Many));
    }

    #[test]
    fn rows_that_do_not_fit_the_highest_rank_are_of_nobody() {
        assert_eq!(of_rows(vec![(7, 4)], Role::Manager).unwrap().unwrap().highest(), Role::Manager);
        assert_eq!(of_rows(vec![(7, 4)], Role::Viewer).unwrap(), None);
        assert!(of_rows(vec![(7, 9)], Role::Viewer).is_err());
    }
}
