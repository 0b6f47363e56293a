//! What programs are told of a route: what it takes, what it answers, what may go wrong.

use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

/// A route's description. Without a word on its answer it is 204, without a body.
///
/// What holds for every route of the table is not said again: who may call it, the parameters of its path that are
/// numbers, what the framework refuses, what may go wrong with the database.
#[derive(Clone, Debug)]
pub struct Doc {
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) takes: Option<Content>,
    pub(super) answers: Option<(u16, Content)>,
    pub(super) problems: Vec<(u16, &'static str)>,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

/// What a body is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// JSON of a named schema.
    Json(String),
    /// JSON that its own kind describes.
    AnyJson,
    /// Bytes of one of these media types.
    Bytes(&'static [&'static str]),
}

impl Doc {
    /// What the route is for, in a few words.
    #[must_use]
    pub fn new(summary: &'static str) -> Self {
        Self {
            summary,
            parameters: Vec::new(),
            takes: None,
            answers: None,
            problems: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// The query's parameters.
    #[must_use]
    pub fn query<P: IntoParams>(mut self) -> Self {
        self.parameters.extend(P::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// Parameters of the path that are no numbers.
    #[must_use]
    pub fn path<P: IntoParams>(mut self) -> Self {
        self.parameters.extend(P::into_params(|| Some(ParameterIn::Path)));
        self
    }

    /// Takes a JSON body.
    #[must_use]
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.takes = Some(self.json::<T>());
        self
    }

    /// Takes bytes of one of these media types.
    #[must_use]
    pub fn takes_bytes(mut self, media: &'static [&'static str]) -> Self {
        self.takes = Some(Content::Bytes(media));
        self
    }

    /// Answers 200 with JSON.
    #[must_use]
    pub fn answers<T: ToSchema>(mut self) -> Self {
        self.answers = Some((200, self.json::<T>()));
        self
    }

    /// Answers 200 with a list, called so, whose `items` are these.
    #[must_use]
    pub fn answers_list_of<T: ToSchema>(mut self, name: &'static str) -> Self {
        let Content::Json(item) = self.json::<T>() else { unreachable!("it was made a line above") };
        let items = ArrayBuilder::new().items(Ref::from_schema_name(item));
        let list = ObjectBuilder::new().property("items", items).required("items");
        self.schemas.push((name.to_owned(), list.into()));
        self.answers = Some((200, Content::Json(name.to_owned())));
        self
    }

    /// Answers 201 with JSON.
    #[must_use]
    pub fn adds<T: ToSchema>(mut self) -> Self {
        self.answers = Some((201, self.json::<T>()));
        self
    }

    /// Answers 200 with JSON that describes itself.
    #[must_use]
    pub fn answers_any_json(mut self) -> Self {
        self.answers = Some((200, Content::AnyJson));
        self
    }

    /// Answers 200 with bytes of one of these media types.
    #[must_use]
    pub fn answers_bytes(mut self, media: &'static [&'static str]) -> Self {
        self.answers = Some((200, Content::Bytes(media)));
        self
    }

    /// May refuse with problems of these kinds.
    #[must_use]
    pub fn refuses(mut self, status: u16, kinds: &[&'static str]) -> Self {
        self.problems.extend(kinds.iter().map(|kind| (status, *kind)));
        self
    }

    fn json<T: ToSchema>(&mut self) -> Content {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        Content::Json(T::name().into_owned())
    }
}

impl Content {
    /// Its media types, and a schema where one helps.
    pub(super) fn media(&self) -> Vec<(&'static str, Option<RefOr<Schema>>)> {
        match self {
            Self::Json(name) => vec![("application/json", Some(Ref::from_schema_name(name).into()))],
            Self::AnyJson => vec![("application/json", None)],
            Self::Bytes(media) => media.iter().map(|media| (*media, None)).collect(),
        }
    }
}
