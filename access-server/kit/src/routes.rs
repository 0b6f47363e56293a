//! The table of routes: every way into the server, and who may take it.
//!
//! A route is made in one line that names its method, its path, who may call it and what answers. Who may call it is
//! asked there, before the handler: no handler can forget it, and the table can be read. Whatever is not made this way
//! is no route: `clippy.toml` forbids the framework's own methods. Routes for programs, below [`API`], are described in
//! the next line ([`Routes::says`]); what programs read ([`Routes::described`]) is made of the same table.

mod doc;
mod once;
mod openapi;

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, Request};
use axum::handler::Handler;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

pub use doc::Doc;
pub(crate) use once::InHand;
pub use once::Once;

use crate::auth::{Role, Scope, admit};
use crate::state::Kit;

/// Begins the paths that are for programs.
pub const API: &str = "/api/v1/";

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, without a session.
    Anybody,
    /// Whoever is signed in, even with a first password: for choosing one, and for signing out.
    SignedIn,
    /// Operators of this rank or a higher one in some place of the site, with a password of their own. The handler shows
    /// and takes what is of those places, and nothing else.
    Somewhere(Role),
    /// The same with the rank at the whole site.
    AtLeast(Role),
    /// The same, and programs whose token has this scope.
    Api(Role, Scope),
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method; `GET` answers `HEAD` too.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub who: Who,
    /// What programs are told of it.
    doc: Option<Doc>,
}

/// Routes, and the table of them. Handlers that need to know who calls take an [`Operator`](crate::auth::Operator).
#[derive(Debug)]
pub struct Routes<S = ()> {
    router: Router<S>,
    table: Vec<Route>,
}

impl<S> Default for Routes<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }
}

impl<S> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Kit: FromRef<S>,
{
    /// A route that shows something.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, who: Who, handler: H) -> Self {
        self.on(Method::GET, path, who, handler)
    }

    /// A route that adds or does something.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, who: Who, handler: H) -> Self {
        self.on(Method::POST, path, who, handler)
    }

    /// A route that sets something.
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, path: &'static str, who: Who, handler: H) -> Self {
        self.on(Method::PUT, path, who, handler)
    }

    /// A route that removes something.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(self, path: &'static str, who: Who, handler: H) -> Self {
        self.on(Method::DELETE, path, who, handler)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place where routes are made")]
    fn on<H: Handler<T, S>, T: 'static>(
        mut self,
        method: Method,
        path: &'static str,
        who: Who,
        handler: H,
    ) -> Self {
        let filter =
            MethodFilter::try_from(method.clone()).expect("the methods above are of the framework's");
        self.router = self.router.route(path, on(filter, Guarded { who, handler }));
        self.table.push(Route { method, path, who, doc: None });
        self
    }

    /// The same, and `openapi.json`, which describes those below [`API`].
    ///
    /// # Panics
    /// When one of them was not described.
    #[must_use]
    pub fn described(self) -> Self {
        let text = Arc::new(OnceLock::new());
        let said: Arc<OnceLock<Bytes>> = Arc::clone(&text);
        let answer = async move || {
            ([(header::CONTENT_TYPE, "application/json")], said.get().cloned().unwrap_or_default())
        };
        let doc = Doc::new("This description").answers_any_json();
        let routes = self.get("/api/v1/openapi.json", Who::Anybody, answer).says(doc);
        let description = serde_json::to_vec(&openapi::openapi(&routes.table)).expect("it is made of text");
        text.set(description.into()).expect("nobody else sets it");
        routes
    }
}

impl<S> Routes<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// What programs are told of the route just made.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn says(mut self, doc: Doc) -> Self {
        self.table.last_mut().expect("a route was just made").doc = Some(doc);
        self
    }

    /// These and others.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    /// Puts layers around all routes so far. It sees what the table refuses.
    #[must_use]
    pub fn around(mut self, layers: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = layers(self.router);
        self
    }

    /// Gives the handlers their state.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        Routes { router: self.router.with_state(state), table: self.table }
    }

    /// The table, in the order in which its lines were made.
    #[must_use]
    pub fn table(&self) -> &[Route] {
        &self.table
    }
}

impl From<Routes> for Router {
    fn from(routes: Routes) -> Self {
        routes.router
    }
}

/// A handler behind the question who calls.
#[derive(Clone, Debug)]
struct Guarded<H> {
    who: Who,
    handler: H,
}

impl<H, T, S> Handler<T, S> for Guarded<H>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
    Kit: FromRef<S>,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        Box::pin(async move {
            let kit = Kit::from_ref(&state);
            let request = match admit(&kit, self.who, request).await {
                Ok(request) => request,
                Err(problem) => return problem.into_response(),
            };
            if !(matches!(self.who, Who::Api(..)) && request.method() == Method::POST) {
                return self.handler.call(request, state).await;
            }
            let work = async move |request| self.handler.call(request, state).await;
            once::answer(&kit, request, work).await.unwrap_or_else(IntoResponse::into_response)
        })
    }
}

#[cfg(feature = "testing")]
pub(crate) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    once::STATEMENTS.iter()
}
