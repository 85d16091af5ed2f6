//! Cookies: `__Host-`, Secure, `HttpOnly`, SameSite=Lax (RFC 6265bis).
//!
//! On plain http, which only `dev` speaks, browsers refuse `Secure` and with it the prefix; the rest holds.

use axum::http::{HeaderMap, HeaderValue, header};
use time::Duration;

/// Names one of our cookies, without the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The challenge that this browser asked for.
    Challenge,
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// One message for the next page, sealed.
    Flash,
    /// The invitation that this browser is about to take.
    Invitation,
    /// What this browser is known by while it is asked for a passkey.
    Passkey,
    /// Whoever sits here does not want to be reminded of passkeys.
    NoPasskey,
    /// The second step of a sign-in that this browser has begun.
    Factor,
    /// The page that this browser was on its way to.
    WayBack,
}

/// Whether the public URL is https, and so what cookies look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieStyle {
    /// True behind https.
    pub secure: bool,
}

impl Cookie {
    const fn base(self) -> &'static str {
        match self {
            Self::Challenge => "bw_challenge",
            Self::Access => "bw_access",
            Self::Refresh => "bw_refresh",
            Self::Flash => "bw_flash",
            Self::Invitation => "bw_invitation",
            Self::Passkey => "bw_passkey",
            Self::NoPasskey => "bw_no_passkey",
            Self::Factor => "bw_factor",
            Self::WayBack => "bw_way_back",
        }
    }
}

impl CookieStyle {
    fn name(self, cookie: Cookie) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}{}", cookie.base())
    }

    /// `Set-Cookie` for a value of ours (token characters only) that lives so long.
    #[must_use]
    pub fn set(self, cookie: Cookie, value: &str, lives: Duration) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!(
            "{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            self.name(cookie),
            lives.whole_seconds()
        );
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// `Set-Cookie` that removes it.
    #[must_use]
    pub fn clear(self, cookie: Cookie) -> HeaderValue {
        self.set(cookie, "", Duration::ZERO)
    }

    /// Puts a value into a request's own cookies, in place of what was sent.
    pub fn replace(self, headers: &mut HeaderMap, cookie: Cookie, value: &str) {
        let name = self.name(cookie);
        let others = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs: Vec<String> = others
            .flat_map(|line| line.split(';'))
            .map(|pair| pair.trim().to_owned())
            .filter(|pair| pair.split_once('=').is_none_or(|(sent, _)| sent != name))
            .collect();
        pairs.push(format!("{name}={value}"));
        if let Ok(line) = HeaderValue::from_str(&pairs.join("; ")) {
            headers.insert(header::COOKIE, line);
        }
    }

    /// The value, if exactly one cookie of that name was sent: of several, nobody knows which is ours.
    #[must_use]
    pub fn get(self, headers: &HeaderMap, cookie: Cookie) -> Option<String> {
        let name = self.name(cookie);
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(sent, _)| *sent == name)
            .map(|(_, value)| value.to_owned());
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cookie_of_a_name_or_none() {
        let style = CookieStyle { secure: true };
        let check = |line: &str, value: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(line).unwrap());
            assert_eq!(style.get(&headers, Cookie::Access).as_deref(), value, "{line}");
        };
        check("a=b; __Host-bw_access=t.o-k_en; c=d", Some("t.o-k_en"));
        check("bw_access=x", None);
        check("__Host-bw_access=1; __Host-bw_access=2", None);
        check("__Host-bw_access=", None);
        assert_eq!(
            style.set(Cookie::Access, "x", Duration::minutes(5)),
            "__Host-bw_access=x; Path=/; Max-Age=300; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn a_replaced_cookie_is_the_only_one_of_its_name() {
        let style = CookieStyle { secure: false };
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; bw_access=old"));
        headers.append(header::COOKIE, HeaderValue::from_static("bw_access=older; bw_access_not=2"));
        style.replace(&mut headers, Cookie::Access, "new");
        assert_eq!(headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), ["a=1; bw_access_not=2; bw_access=new"]);
        assert_eq!(style.get(&headers, Cookie::Access).as_deref(), Some("new"));
    }
}
