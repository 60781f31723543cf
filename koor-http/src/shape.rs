//! What a handler takes and answers, read off its types: the one source of its parser and of its documentation.

use bytes::Bytes;
use koor_core::domain::RawJson;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    error::Failure,
    json_body::{Kept, Object, Objects, OneOrMany, OrDefault},
    null_is_absent::NullIsAbsent,
    request::Call,
    response::{Answer, Created, Json, Written},
};

/// A parameter of a query or a header.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) summary: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: Value,
    /// Whether it may be given several times.
    pub(crate) many: bool,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Header,
}

/// What a handler reads of the body.
#[derive(Debug, Default)]
pub(crate) enum Intake {
    #[default]
    Nothing,
    /// JSON, which may be missing.
    OptionalJson(Schema),
    /// JSON.
    Json(Schema),
    /// Any bytes.
    Bytes,
    /// An export request of OTLP.
    Telemetry,
}

/// What a handler answers when all is well.
#[derive(Debug, Default)]
pub(crate) enum Reply {
    /// JSON with status 200.
    Json(Schema),
    /// JSON with status 201.
    Created(Schema),
    /// The bytes of a document, or JSON about it.
    #[default]
    Document,
    /// Plain text.
    Text,
    /// The answer to an export request of OTLP, whose JSON has that schema.
    Telemetry(Schema),
    /// Server-Sent Events.
    Stream(Schema),
    /// A WebSocket.
    Socket,
}

/// The parameters, the body and the answer of a handler.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) params: Vec<Param>,
    pub(crate) intake: Intake,
    pub(crate) reply: Reply,
    /// Whether the answer carries the place of the change in the event log.
    pub(crate) writes: bool,
}

/// The schemas of all that goes in and out, each under its name.
pub(crate) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            taken: settings().for_deserialize().with_transform(NullIsAbsent).into_generator(),
            given: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of what clients send.
    pub(crate) fn taken<T: JsonSchema + ?Sized>(&mut self) -> Schema {
        self.taken.subschema_for::<T>()
    }

    /// The schema of what they get.
    pub(crate) fn given<T: JsonSchema + ?Sized>(&mut self) -> Schema {
        self.given.subschema_for::<T>()
    }

    /// All that have a name.
    pub(crate) fn into_named(mut self) -> Map<String, Value> {
        let mut named = self.given.take_definitions(true);
        named.extend(self.taken.take_definitions(true));
        named
    }
}

/// The schema of a type, whole: without references to others.
pub(crate) fn whole<T: JsonSchema + ?Sized>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    T::json_schema(&mut settings.into_generator()).into()
}

/// What a handler takes beside the request itself: read before it runs.
pub(crate) trait Input: Sized + Send {
    /// Reads it.
    fn read(call: &mut Call) -> impl Future<Output = Result<Self, Failure>> + Send;
    /// Adds it to the shape of the handler.
    fn describe(shape: &mut Shape, schemas: &mut Schemas);
}

/// What a handler answers.
pub(crate) trait Output: Send {
    /// The answer itself.
    fn into_answer(self) -> Answer;
    /// Adds it to the shape of the handler.
    fn describe(shape: &mut Shape, schemas: &mut Schemas);
}

/// A handler: an async function of a call, or of a call and an [`Input`], that answers an [`Output`].
pub(crate) trait Handles<Taken>: Send {
    /// Reads the input and runs.
    fn run(self, call: Call) -> impl Future<Output = Result<Answer, Failure>> + Send;
    /// What it takes and answers.
    fn shape(self, schemas: &mut Schemas) -> Shape;
}

impl<F, A, O> Handles<()> for F
where
    F: FnOnce(Call) -> A + Send,
    A: Future<Output = Result<O, Failure>> + Send,
    O: Output,
{
    #[expect(clippy::manual_async_fn, reason = "an async fn would have room for the call twice")]
    fn run(self, call: Call) -> impl Future<Output = Result<Answer, Failure>> + Send {
        async move { Ok(self(call).await?.into_answer()) }
    }

    fn shape(self, schemas: &mut Schemas) -> Shape {
        let mut shape = Shape::default();
        O::describe(&mut shape, schemas);
        shape
    }
}

impl<F, I, A, O> Handles<(I,)> for F
where
    F: FnOnce(Call, I) -> A + Send,
    I: Input,
    A: Future<Output = Result<O, Failure>> + Send,
    O: Output,
{
    #[expect(clippy::manual_async_fn, reason = "an async fn would have room for the call twice")]
    fn run(self, mut call: Call) -> impl Future<Output = Result<Answer, Failure>> + Send {
        async move {
            let input = I::read(&mut call).await?;
            Ok(self(call, input).await?.into_answer())
        }
    }

    fn shape(self, schemas: &mut Schemas) -> Shape {
        let mut shape = Shape::default();
        I::describe(&mut shape, schemas);
        O::describe(&mut shape, schemas);
        shape
    }
}

impl<A: Input, B: Input> Input for (A, B) {
    async fn read(call: &mut Call) -> Result<Self, Failure> {
        Ok((A::read(call).await?, B::read(call).await?))
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        A::describe(shape, schemas);
        B::describe(shape, schemas);
    }
}

impl Input for Bytes {
    async fn read(call: &mut Call) -> Result<Self, Failure> {
        call.bytes().await
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.intake = Intake::Bytes;
    }
}

/// A body that is JSON, kept as it was sent.
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl Input for JsonBytes {
    async fn read(call: &mut Call) -> Result<Self, Failure> {
        call.bytes().await.map(Self)
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.intake = Intake::Json(schemas.taken::<RawJson>());
    }
}

/// Makes a kind of JSON body an input.
macro_rules! body {
    ($body:ident<$item:ident>, $reader:ident, $intake:ident($($described:tt)+)) => {
        impl<$item: DeserializeOwned + Default + JsonSchema + Send + 'static> Input for $body<$item> {
            async fn read(call: &mut Call) -> Result<Self, Failure> {
                call.read_json(Self::$reader).await
            }

            fn describe(shape: &mut Shape, schemas: &mut Schemas) {
                shape.intake = Intake::$intake(schemas.taken::<$($described)+>());
            }
        }
    };
}

body!(Object<T>, read, Json(T));
body!(OrDefault<T>, read, OptionalJson(T));
body!(Kept<T>, read, Json(T));
body!(Objects<T>, read, Json(Vec<T>));
body!(OneOrMany<T>, read, Json(OneOrMany<T>));

impl<T: JsonSchema + Send> Output for Json<T> {
    fn into_answer(self) -> Answer {
        self.into_inner()
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.reply = Reply::Json(schemas.given::<T>());
    }
}

impl<T: JsonSchema + Send> Output for Written<T> {
    fn into_answer(self) -> Answer {
        self.0.into_inner()
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.reply = Reply::Json(schemas.given::<T>());
        shape.writes = true;
    }
}

impl<T: JsonSchema + Send> Output for Created<T> {
    fn into_answer(self) -> Answer {
        self.0.into_inner()
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.reply = Reply::Created(schemas.given::<T>());
        shape.writes = true;
    }
}
