//! Who may call what: every route of the table, called by everybody.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use jiff::tz::TimeZone;
use kit::auth::{Operator, Role, SESSION_COOKIE, Scope, token};
use kit::routes::Route;
use kit::testing::{keeper, newcomer, operator, sites};
use kit::{Kit, Problem, Who, ingest};
use server::connections::{Bounds, Places};
use server::serve;
use tower::ServiceExt as _;

/// The rights as they were last looked at by people.
const RIGHTS: &str = include_str!("rights.txt");

/// Any number: the site of these tests is empty.
const A_PLACE: u64 = 7;

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Somebody who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    Newcomer,
    Ranked(Role),
    /// A manager of one place, and of nothing else.
    OfAPlace,
    /// A program whose token has this scope and no other.
    Program(Scope),
}

/// How somebody shows who they are.
pub(crate) enum Shown {
    Nothing,
    Session(Operator),
    Token(String),
}

impl Caller {
    /// In the order of the columns.
    fn all() -> impl Iterator<Item = Self> {
        let people = [Self::Nobody, Self::Newcomer].into_iter().chain(Role::ALL.map(Self::Ranked));
        let people = people.chain([Self::OfAPlace]);
        people.chain(Scope::ALL.map(Self::Program))
    }

    fn letter(self) -> char {
        match self {
            Self::Nobody => 'n',
            Self::Newcomer => 'f',
            Self::Ranked(role) => role.as_str().chars().next().unwrap(),
            Self::OfAPlace => 'l',
            Self::Program(Scope::ReadEvents) => 'e',
            Self::Program(Scope::ReadPeople) => 'p',
            Self::Program(Scope::WritePeople) => 'P',
            Self::Program(Scope::ReadSite) => 's',
            Self::Program(Scope::WriteSite) => 'S',
        }
    }

    async fn comes_in(self, kit: &Kit) -> Shown {
        match self {
            Self::Nobody => Shown::Nothing,
            Self::Newcomer => Shown::Session(newcomer(kit).await),
            Self::Ranked(role) => Shown::Session(operator(kit, role).await),
            Self::OfAPlace => Shown::Session(keeper(kit, A_PLACE).await),
            Self::Program(scope) => Shown::Token(program(kit, scope).await),
        }
    }

    /// What the table says.
    fn may(self, who: Who) -> bool {
        match (who, self) {
            (Who::Anybody, _) | (Who::SignedIn, Self::Newcomer | Self::Ranked(_) | Self::OfAPlace) => true,
            (Who::Somewhere(least), Self::OfAPlace) => Role::Manager >= least,
            (Who::AtLeast(_) | Who::Api(..), Self::OfAPlace) => false,
            (_, Self::Nobody) | (Who::Somewhere(_) | Who::AtLeast(_) | Who::Api(..), Self::Newcomer) => false,
            (Who::Somewhere(least) | Who::AtLeast(least) | Who::Api(least, _), Self::Ranked(role)) => {
                role >= least
            }
            (Who::Api(_, needed), Self::Program(scope)) => scope == needed,
            (Who::SignedIn | Who::Somewhere(_) | Who::AtLeast(_), Self::Program(_)) => false,
        }
    }
}

/// The server as it stands on its port, on an empty site.
pub(crate) async fn app(kit: &Kit) -> (Router, Vec<Route>) {
    let (ingest, _) = ingest::queue(1);
    let routes = serve::routes(kit, ingest, None, None, TimeZone::UTC, Places::new(Bounds::of(1024)));
    let table = routes.table().to_vec();
    let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
    (serve::app(routes).layer(MockConnectInfo(peer)), table)
}

/// A token of this one scope; an operator made it who is not one of the callers.
async fn program(kit: &Kit, scope: Scope) -> String {
    let maker = kit::auth::list(kit).await.unwrap()[0].id;
    let mut tx = kit.begin().await.unwrap();
    let name = scope.as_str().replace(':', "-");
    let end = tx.now() + 3_600_000_000;
    let (_, token) = token::make(&mut tx, maker, &name, &[scope], end).await.unwrap();
    tx.commit().await.unwrap();
    token
}

/// A request without a body; with a session it has the token of its forms.
fn request(shown: &Shown, method: &Method, path: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    match shown {
        Shown::Nothing => {}
        Shown::Session(operator) => {
            request = request
                .header(header::COOKIE, format!("{SESSION_COOKIE}={}", operator.session()))
                .header("x-csrf-token", &operator.csrf);
        }
        Shown::Token(token) => request = request.header(header::AUTHORIZATION, format!("Bearer {token}")),
    }
    request.body(Body::empty()).unwrap()
}

async fn call(app: &Router, shown: &Shown, method: &Method, path: &str) -> (StatusCode, Option<Problem>) {
    let answer = app.clone().oneshot(request(shown, method, path)).await.unwrap();
    (answer.status(), answer.extensions().get::<Problem>().cloned())
}

/// The body of what somebody is shown.
pub(crate) async fn body(app: &Router, shown: &Shown, path: &str) -> (u16, Vec<u8>) {
    let answer = app.clone().oneshot(request(shown, &Method::GET, path)).await.unwrap();
    let status = answer.status().as_u16();
    (status, to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec())
}

/// A path of the table with something in its gaps.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// A site with every slice.
pub(crate) async fn whole() -> kit::testing::Site {
    let slices = [
        people::MIGRATIONS,
        doors::MIGRATIONS,
        records::MIGRATIONS,
        webhooks::MIGRATIONS,
        roster::MIGRATIONS,
        devices::MIGRATIONS,
    ];
    sites(&slices.concat()).await.remove(0)
}

#[tokio::test]
async fn those_may_call_a_route_whom_the_table_lets_and_no_others() {
    let site = whole().await;
    let (app, mut table) = app(&site.kit).await;
    // Leaving ends the session, so it comes last.
    table.sort_by_key(|route| (route.path == "/sign-out", route.path, route.method.to_string()));
    let mut passed = vec![String::new(); table.len()];
    for caller in Caller::all() {
        let shown = caller.comes_in(&site.kit).await;
        for (route, passed) in table.iter().zip(&mut passed) {
            let (status, problem) = call(&app, &shown, &route.method, &filled(route.path)).await;
            let kind = problem.as_ref().map(Problem::kind).unwrap_or_default();
            let refused = matches!(kind, "signed-out" | "must-change-password" | "rank" | "scope");
            assert_eq!(refused, !caller.may(route.who), "{caller:?}, {route:?}: {status} {kind}");
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{caller:?}, {route:?}");
            passed.push(if refused { '.' } else { caller.letter() });
        }
    }
    let mut rights = String::from(
        "# Who may call what: nobody, with a first password, viewer, guard, operator, manager, administrator,\n\
         # a manager of one place (l), who is shown what lies there;\n\
         # programs with the scope read:events, read:people (p), write:people (P), read:site (s), write:site (S).\n",
    );
    for (route, passed) in table.iter().zip(passed) {
        let _ = writeln!(rights, "{passed} {:6} {}", route.method.as_str(), route.path);
    }
    if rights != RIGHTS {
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/rights.txt");
        std::fs::write(file, &rights).unwrap();
        panic!("the rights are others now; if that is meant: cp {file} access-server/server/tests/it/");
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_is_not_there() {
    let site = whole().await;
    let (app, table) = app(&site.kit).await;
    let administrator = Shown::Session(operator(&site.kit, Role::Administrator).await);
    for Route { path, .. } in &table {
        for method in &METHODS {
            let listed = table.iter().any(|route| route.path == *path && route.method == *method);
            if !listed {
                let (status, _) = call(&app, &administrator, method, &filled(path)).await;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            }
            let beside = format!("{}/no/such/thing/here", filled(path).trim_end_matches('/'));
            let (status, _) = call(&app, &administrator, method, &beside).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {beside}");
        }
    }
}

/// The token of the forms is asked for wherever somebody signed in changes something.
#[tokio::test]
async fn nothing_is_changed_without_the_token_of_our_own_pages() {
    let site = whole().await;
    let (app, table) = app(&site.kit).await;
    let mut operator = operator(&site.kit, Role::Administrator).await;
    operator.csrf = "0".repeat(64);
    let operator = Shown::Session(operator);
    for route in table.iter().filter(|route| route.method != Method::GET && route.who != Who::Anybody) {
        let (status, problem) = call(&app, &operator, &route.method, &filled(route.path)).await;
        let kind = problem.as_ref().map(Problem::kind);
        assert_eq!((status, kind), (StatusCode::FORBIDDEN, Some("form-token")), "{route:?}");
    }
}

/// A token lets a program do nothing that a person would need a higher rank for than the scope stands for.
#[tokio::test]
async fn a_scope_stands_for_a_rank() {
    let site = whole().await;
    let (_, table) = app(&site.kit).await;
    let scoped = table.iter().filter_map(|route| match route.who {
        Who::Api(role, scope) => Some((role, scope, route)),
        Who::Anybody | Who::SignedIn | Who::Somewhere(_) | Who::AtLeast(_) => None,
    });
    let scoped: Vec<_> = scoped.collect();
    assert!(Scope::ALL.iter().all(|scope| scoped.iter().any(|(_, it, _)| it == scope)), "each is of use");
    for (role, scope, route) in scoped {
        assert!(scope.role() >= role, "{route:?}");
    }
}
