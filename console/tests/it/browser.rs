//! Somebody at a browser, signed in.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::request::Builder;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use console::Console;
use jiff::tz::TimeZone;
use kit::Kit;
use kit::auth::{self, Ranks};
use kit::testing::Site;
use tower::ServiceExt;

const FIRST: &str = "a first password";
/// The password of whoever is at a browser.
pub(crate) const OWN: &str = "a password of their own";

/// A site on each engine, with every slice that has a page.
pub(crate) async fn sites() -> Vec<Site> {
    let slices = [
        people::MIGRATIONS,
        doors::MIGRATIONS,
        records::MIGRATIONS,
        roster::MIGRATIONS,
        webhooks::MIGRATIONS,
        devices::MIGRATIONS,
    ];
    kit::testing::sites(&slices.concat()).await
}

#[derive(Clone)]
pub(crate) struct Browser {
    routes: Router,
    /// Other cookies, each with a semicolon behind it.
    others: String,
    /// The session's cookie value.
    pub(crate) session: String,
}

/// What came back: the status, where it leads, the page.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) to: String,
    /// The cookies it sets.
    pub(crate) cookies: Vec<String>,
    pub(crate) page: String,
}

impl Browser {
    pub(crate) async fn signed_in(kit: &Kit, name: &str, ranks: impl Into<Ranks>) -> Self {
        auth::add(kit, None, name, ranks, FIRST).await.unwrap();
        let session = auth::sign_in(kit, name, FIRST, "127.0.0.1").await.unwrap().whole().unwrap();
        auth::change_password(kit, session.operator, FIRST, OWN).await.unwrap();
        let session = auth::sign_in(kit, name, OWN, "127.0.0.1").await.unwrap().whole().unwrap();
        let cookie = session.set_cookie.split(';').next().unwrap();
        let session = cookie.split_once('=').unwrap().1.to_owned();
        let console = Console::new(kit.clone(), TimeZone::UTC);
        Self { routes: console::routes(console).into(), others: String::new(), session }
    }

    /// The same browser with nobody signed in.
    pub(crate) fn signed_out(&self) -> Self {
        Self { session: String::new(), ..self.clone() }
    }

    /// The same browser with another cookie, as `name=value`.
    pub(crate) fn with(&self, cookie: &str) -> Self {
        Self { others: format!("{cookie}; "), ..self.clone() }
    }

    /// Types name and password.
    pub(crate) async fn login(&self, name: &str) -> Answer {
        self.plain_post("/login", &format!("name={name}&password={}", OWN.replace(' ', "+"))).await
    }

    /// Sends a form without a token, as the pages before signing in do.
    pub(crate) async fn plain_post(&self, path: &str, fields: &str) -> Answer {
        let form = "application/x-www-form-urlencoded";
        self.ask(Request::post(path).header(header::CONTENT_TYPE, form), fields.to_owned()).await
    }

    async fn ask(&self, request: Builder, body: String) -> Answer {
        self.send(request, Body::from(body)).await
    }

    pub(crate) async fn send(&self, request: Builder, body: Body) -> Answer {
        let response = self.answer(request, body).await;
        let status = response.status();
        let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        let cookies = cookies.map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
        let bytes = to_bytes(response.into_body(), 16 << 20).await.unwrap();
        let page = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, to: to.unwrap_or_default(), cookies, page }
    }

    /// What is still being said, as it comes.
    pub(crate) async fn open(&self, path: &str) -> Body {
        self.answer(Request::get(path), Body::empty()).await.into_body()
    }

    async fn answer(&self, request: Builder, body: Body) -> Response {
        let cookies = format!("{}{}={}; language=en", self.others, auth::SESSION_COOKIE, self.session);
        let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
        let request = request.header(header::COOKIE, cookies).header(header::ACCEPT, "text/html");
        let request = request.extension(ConnectInfo(peer));
        self.routes.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path), String::new()).await
    }

    /// Sends a form, with the token that every page has.
    pub(crate) async fn post(&self, path: &str, fields: &str) -> Answer {
        let token = self.token().await;
        self.post_with(token, path, fields.to_owned()).await
    }

    /// Sends a form with this token.
    pub(crate) async fn post_with(&self, token: String, path: &str, fields: String) -> Answer {
        let form = "application/x-www-form-urlencoded";
        let request = Request::post(path).header(header::CONTENT_TYPE, form);
        self.ask(request, format!("_csrf={token}&{fields}")).await
    }

    /// The token that every page has.
    pub(crate) async fn token(&self) -> String {
        let page = self.get("/history").await.page;
        let token = page.split("name=\"_csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.unwrap_or_default().to_owned()
    }
}

impl Answer {
    /// The places of the records on the page, as it lists them.
    pub(crate) fn records(&self) -> Vec<u64> {
        let places = self.page.split("data-seq=\"").skip(1);
        places.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
    }

    /// Where the page's link to the next one leads.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.page.split("rel=\"next\" href=\"").nth(1)?;
        Some(link.split('"').next()?.replace("&amp;", "&"))
    }
}
