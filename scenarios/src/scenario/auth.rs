//! `auth:` who the user is.

use crate::decode::fields::exactly_one;
use crate::decode::{record, words};
use crate::diagnostic::Problems;
use crate::plan::Text;

record! {
    /// An identity that a journey takes with `auth:`.
    Auth, "an auth entry", check = check;
    /// A token from an OAuth 2 server.
    optional oauth2: OAuth2,
    /// A fixed token.
    optional bearer: Bearer,
    /// User name and password.
    optional basic: Basic,
}

fn check(auth: &Auth, problems: &mut Problems) {
    let given = [("oauth2", auth.oauth2.is_some()), ("bearer", auth.bearer.is_some()), ("basic", auth.basic.is_some())];
    exactly_one(auth.span, "an auth entry", &given, problems);
}

record! {
    /// How a token is asked for.
    OAuth2, "oauth2";
    /// Which grant.
    required flow: Flow,
    /// Where tokens are issued.
    required token_url: Text,
    /// Who asks.
    required client_id: Text,
    /// Its secret: `${secret.env.X}`.
    optional client_secret: Text,
    /// What is asked for.
    optional scopes: Vec<String>,
    /// For the password grant.
    optional username: Text,
    /// For the password grant: `${secret.env.X}`.
    optional password: Text,
}

words! {
    /// A grant of OAuth 2.
    Flow:
    /// The client itself.
    ClientCredentials = "client_credentials",
    /// A user's name and password.
    Password = "password",
}

record! {
    /// A fixed token.
    Bearer, "bearer";
    /// Goes into `Authorization: Bearer`.
    required token: Text,
}

record! {
    /// HTTP basic authentication.
    Basic, "basic";
    /// The user's name.
    required username: Text,
    /// The password: `${secret.env.X}`.
    required password: Text,
}
