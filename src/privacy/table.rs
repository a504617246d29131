//! Names and places: what is secret is secret everywhere.

use http::Request;

use super::{FILTERED, arguments, field, json, query, text, url};

/// Names of secrets, and one value that must be nowhere.
const SECRETS: [&str; 24] = [
    "Authorization",
    "access_token",
    "API_KEY",
    "client_secret",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "jwt",
    "bearer",
    "saml_response",
    "csrf_token",
    "X-XSRF-TOKEN",
    "session_id",
    "credentials",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "X-Goog-Credential",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "otp",
];
const VALUE: &str = "s3cr3t.V-4lue";

/// All that is sent of a request.
fn recorded(request: &Request<()>) -> String {
    serde_json::to_string(&super::request(request, true)).unwrap()
}

#[test]
fn what_is_secret_is_secret_everywhere() {
    for name in SECRETS {
        let pair = format!("a=1&{name}={VALUE}&b=2");
        let encoded = format!("{name}={VALUE}").replace('=', "%3D");
        let inner = format!("next=%2Freset%3F{encoded}&b=2");
        let address = format!("https://u:{VALUE}@h.example/x;{name}={VALUE}/y?{pair}#{pair}");
        let told = [
            query(&pair).into_owned(),
            query(&inner).into_owned(),
            query(&format!("next={address}")).into_owned(),
            url(&address).into_owned(),
            url(&format!("/x?{pair}")).into_owned(),
            url(&format!("//u:{VALUE}@h.example/x?{pair}")).into_owned(),
            text(&format!("GET {address} failed")).into_owned(),
            text(&format!("got {{\"{name}\": \"{VALUE}\"}}")).into_owned(),
            text(&format!("got {{\"{name}\":{VALUE}}}")).into_owned(),
            json(&format!(
                r#"{{"a":{{"{name}":"{VALUE}"}},"url":"{address}"}}"#
            ))
            .unwrap(),
            field("url.full", &address, || false).into_owned(),
            field("url.query", &pair, || false).into_owned(),
            field("note", &address, || false).into_owned(),
            arguments(vec!["curl".to_owned(), address.clone()]).join(" "),
        ];
        for told in told {
            assert!(!told.contains(VALUE), "{name}: {told}");
            assert!(told.contains(FILTERED), "{name}: {told}");
        }

        for header in [
            "referer",
            "origin",
            "location",
            "x-original-url",
            "x-rewrite-url",
            "x-forwarded-uri",
            "x-envoy-original-path",
            "x-anything",
        ] {
            for value in [&address, &format!("/x?{pair}")] {
                let request = Request::get("/").header(header, value).body(()).unwrap();
                let told = recorded(&request);
                assert!(!told.contains(VALUE), "{name}: {told}");
                assert!(told.contains("[Filtered]"), "{name}: {told}");
            }
        }
        let cookies = format!("a=1; {name}={VALUE}; next={address}; back=%2F%3F{encoded}");
        let request = Request::get(format!("/x;{name}={VALUE}?{pair}"))
            .header(name, VALUE)
            .header("cookie", cookies)
            .header("x-cookie", VALUE)
            .header("host", format!("u:{VALUE}@h.example"))
            .body(())
            .unwrap();
        let told = recorded(&request);
        assert!(!told.contains(VALUE), "{name}: {told}");
    }
}

/// Without consent, that is.
#[test]
fn headers_that_identify_people_are_removed() {
    for name in [
        "From",
        "Via",
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Email",
        "X-User-Name",
        "X-MS-Client-Principal-Name",
        "X-Forwarded-Client-Cert",
        "X-MSISDN",
    ] {
        let request = Request::get("/").header(name, VALUE).body(()).unwrap();
        let told = super::request(&request, false);
        let name = name.to_ascii_lowercase();
        assert_eq!(told.headers[&name], FILTERED);
        let told = super::request(&request, true);
        assert_eq!(told.headers[&name], VALUE);
    }
}

#[test]
fn what_is_no_secret_stays() {
    let request = Request::get("/items;v=1?page=2&design=3&signal=4")
        .header("host", "shop.example:8080")
        .header("referer", "https://shop.example/@anna?page=1")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) a=b; c: d")
        .header("accept", "text/html;q=0.8, */*")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(())
        .unwrap();
    let told = super::request(&request, false);
    assert_eq!(
        told.url.as_deref(),
        Some("http://shop.example:8080/items;v=1")
    );
    assert_eq!(
        told.query_string.as_deref(),
        Some("page=2&design=3&signal=4")
    );
    for (name, value) in request.headers() {
        assert_eq!(told.headers[name.as_str()], value.to_str().unwrap());
    }
}
