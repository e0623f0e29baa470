PRAGMA application_id = 1919907188;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    worst_nusd INTEGER NOT NULL,
    worst_tokens INTEGER NOT NULL,
    cost_nusd INTEGER NOT NULL,
    usage TEXT,            -- JSON: the fields of a Usage that are not zero
    how TEXT,
    kind TEXT,
    parts TEXT NOT NULL,   -- JSON: [[name of a counter, unit, needed], ...]
    takes TEXT NOT NULL,   -- JSON: [[name of a window, unit, bucket, amount], ...]
    reserved_at_s REAL NOT NULL,
    ended_at_s REAL,
    lease_until_s REAL NOT NULL,
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    policy TEXT NOT NULL,
    tenant TEXT,
    user TEXT,
    target TEXT NOT NULL,
    plan_digest TEXT NOT NULL,
    prices_digest TEXT NOT NULL
);
INSERT INTO "attempts" VALUES(1,'settled','settled',60,30,25,'{"input_tokens":10,"output_tokens":5}','reported',NULL,'[[1,"nusd",60],[2,"tokens",40]]','[[3,"tokens",1790000000,40]]',1790000000.0,1790000002.5,1790001000.0,'r-settled',1,'cheap-fast','acme',NULL,'openai/gpt-5-nano','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp');
INSERT INTO "attempts" VALUES(2,'released','released',60,30,0,NULL,NULL,NULL,'[[1,"nusd",60],[2,"tokens",40]]','[[3,"tokens",1790000001,40]]',1790000001.0,1790000003.0,1790001001.0,'r-released',1,'cheap-fast','acme',NULL,'openai/gpt-5-nano','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp');
INSERT INTO "attempts" VALUES(3,'expired','expired',60,30,60,NULL,NULL,NULL,'[[1,"nusd",60],[2,"tokens",40]]','[[3,"tokens",1790000002,40]]',1790000002.0,1790000010.0,1790000007.0,'r-expired',1,'cheap-fast','acme',NULL,'openai/gpt-5-nano','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp');
INSERT INTO "attempts" VALUES(4,'sent','sent',60,30,60,NULL,NULL,NULL,'[[1,"nusd",60],[2,"tokens",40]]','[[3,"tokens",1790000003,40]]',1790000003.0,NULL,1790001003.0,'r-sent',1,'cheap-fast','acme',NULL,'openai/gpt-5-nano','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp');
INSERT INTO "attempts" VALUES(5,'reserved','reserved',60,30,60,NULL,NULL,NULL,'[[1,"nusd",60],[2,"tokens",40]]','[[3,"tokens",1790000004,40]]',1790000004.0,NULL,1790001004.0,'r-reserved',1,'cheap-fast','acme',NULL,'openai/gpt-5-nano','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp');
CREATE TABLE buckets (     -- of sliding windows
    name INTEGER NOT NULL,
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (name, at)
) WITHOUT ROWID;
INSERT INTO "buckets" VALUES(3,1790000000,15);
INSERT INTO "buckets" VALUES(3,1790000001,0);
INSERT INTO "buckets" VALUES(3,1790000002,40);
INSERT INTO "buckets" VALUES(3,1790000003,40);
INSERT INTO "buckets" VALUES(3,1790000004,40);
CREATE TABLE counters (
    name INTEGER PRIMARY KEY,
    settled INTEGER NOT NULL,
    reserved INTEGER NOT NULL
);
INSERT INTO "counters" VALUES(1,85,120);
INSERT INTO "counters" VALUES(2,55,80);
CREATE TABLE health (
    provider TEXT NOT NULL,
    name TEXT NOT NULL,    -- of a key, or model:NAME
    failures INTEGER NOT NULL,
    cooling_until_s REAL NOT NULL,
    PRIMARY KEY (provider, name)
) WITHOUT ROWID;
INSERT INTO "health" VALUES('openai','model:gpt-5-nano',1,0.0);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('refused_seq',6);
CREATE TABLE names (       -- of counters and windows; a number never changes its meaning
    name INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);
INSERT INTO "names" VALUES(1,'day 2026-09-21 nusd tenant:acme');
INSERT INTO "names" VALUES(2,'total  tokens policy:cheap-fast');
INSERT INTO "names" VALUES(3,'tenant:acme tokens 60');
CREATE TABLE permits (
    id TEXT NOT NULL,
    name INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    until_s REAL NOT NULL,
    PRIMARY KEY (id, name)
) WITHOUT ROWID;
CREATE INDEX open_leases ON attempts (lease_until_s) WHERE ended_at_s IS NULL;
CREATE INDEX permits_of ON permits (name, until_s);
CREATE VIEW spend AS SELECT key, settled, reserved FROM counters JOIN names USING (name);
COMMIT;
