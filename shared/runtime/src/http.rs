//! How calls of AWS travel: over HTTP/1.1, by connections that are kept.
//!
//! The SDK has a client for this, which speaks HTTP/2 too. Who makes one call at a time has no use for it,
//! and it is a tenth of a function (docs/decisions/0006-runtime.md).

use std::{io, time::Duration};

use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{CaptureConnection, HttpConnector as Tcp, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};

use crate::tls;

/// How long a connection may take: within a region it takes a few milliseconds. TLS and the answer are
/// bounded by the timeout of the call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The client of all services. Clones share their connections.
///
/// # Errors
///
/// The system has no certificate to check others by. Trying again does not help.
pub(crate) fn client() -> io::Result<SharedHttpClient> {
    let mut tcp = Tcp::new();
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    // A request is written in two parts, of which the second must not wait for the first's receipt.
    tcp.set_nodelay(true);
    // A local AWS has no TLS.
    tcp.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(tls::provider())?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https);
    let connector = SharedHttpConnector::new(Http1(client));
    Ok(http_client_fn(move |_, _| connector.clone()))
}

/// What sends one request of the SDK and takes its answer.
#[derive(Debug)]
struct Http1(Client<HttpsConnector<Tcp>, SdkBody>);

impl HttpConnector for Http1 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        // So the SDK can give up a connection over which trouble came.
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            // Whatever kept an answer away, the SDK may try again: each write of ours can be sent twice.
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let give_up = move || {
        if let Some(it) = connection.connection_metadata().as_ref() {
            it.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(give_up).build())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        thread,
        time::Duration,
    };

    use crate::aws::Aws;

    /// A client of what listens at `endpoint`.
    fn dynamodb(endpoint: &str) -> aws_sdk_dynamodb::Client {
        let aws = Aws::from_lookup(|name| match name {
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            _ => Some("eu-central-1".to_owned()),
        });
        aws.unwrap().dynamodb(Duration::from_secs(5))
    }

    /// The first bytes of what is sent.
    fn received(connection: &mut TcpStream) -> Vec<u8> {
        let mut bytes = vec![0; 4_096];
        let length = connection.read(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    #[tokio::test]
    async fn a_connection_that_dies_is_tried_again_and_the_next_one_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut dying, _) = listener.accept().unwrap();
            received(&mut dying);
            drop(dying);
            let (mut kept, _) = listener.accept().unwrap();
            for _ in 0..2 {
                assert!(received(&mut kept).starts_with(b"POST / HTTP/1.1\r\n"));
                kept.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"TableNames\":[]}")
                    .unwrap();
            }
        });
        let client = dynamodb(&endpoint);

        for _ in 0..2 {
            client.list_tables().send().await.unwrap();
        }
        server.join().unwrap();
    }

    #[tokio::test]
    async fn by_tls_http_2_is_not_offered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || received(&mut listener.accept().unwrap().0));

        let result = dynamodb(&endpoint).list_tables().send().await;

        assert!(result.is_err());
        let hello = server.join().unwrap();
        assert_eq!(hello.first(), Some(&0x16), "no handshake");
        assert!(!hello.windows(3).any(|it| it == b"\x02h2"), "{hello:?}");
    }
}
