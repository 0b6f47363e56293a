//! Areas, for programs.

use domain::ids::AreaId;
use people::word::{Word as _, schema};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::things::{Names, Resource, aim, named, print};
use crate::edit::{Edit, Seen};
use crate::error::DoorsError;
use crate::place::{self, AreaKind};
use crate::survey::{Survey, Thing};

/// An area.
#[derive(Serialize, ToSchema)]
pub(super) struct Area {
    id: u64,
    key: String,
    name: String,
    latin: String,
    #[schema(schema_with = schema::<AreaKind>)]
    kind: &'static str,
    /// The area it lies in.
    r#in: Option<u64>,
    /// Another one with every change.
    version: String,
}

/// An area to be put in place.
#[derive(Deserialize, ToSchema)]
#[schema(as = AreaBody)]
pub(super) struct Body {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
    #[schema(schema_with = schema::<AreaKind>)]
    kind: String,
    /// The area it lies in; of floors and areas alone.
    r#in: Option<u64>,
}

impl Resource for Area {
    type Body = Body;

    fn list(survey: &Survey) -> Vec<Self> {
        let areas = survey.areas.iter().map(|(id, it)| Self {
            id: id.0,
            key: it.label.key.clone(),
            name: it.label.name.clone(),
            latin: it.label.latin.clone(),
            kind: it.kind.word(),
            r#in: it.parent.map(|parent| parent.0),
            version: Seen::of(it).to_string(),
        });
        areas.collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::Area(AreaId(id))
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.areas, AreaId(id))
    }

    async fn put(edit: &mut Edit, known: Option<(u64, Seen)>, body: Body) -> Result<u64, DoorsError> {
        let kind = AreaKind::parse(&body.kind);
        let kind = kind.ok_or_else(|| DoorsError::field("kind", "is none of the words it may be"))?;
        let area = place::Area { label: body.names.into(), kind, parent: body.r#in.map(AreaId) };
        Ok(edit.area(aim(known, AreaId), &area).await.map_err(named(&[("parent", "in")]))?.0)
    }
}
