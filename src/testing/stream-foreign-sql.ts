/**
 * Databases as kyneta writes them, as SQL. Text that is not plain ASCII is `CAST(X'…' AS TEXT)`: a literal cannot hold a NUL.
 */

/** What @kyneta/sqlite-store 3.0.0 wrote, dumped: `node tests/streams/kyneta.mjs make`. */
export const KYNETA_3_SQL: string = String.raw`
CREATE TABLE kyneta_doc_meta ( doc_id TEXT PRIMARY KEY, data TEXT NOT NULL ) WITHOUT ROWID ;
INSERT INTO kyneta_doc_meta VALUES ('', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 0"}');
INSERT INTO kyneta_doc_meta VALUES ('Users/A', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}');
INSERT INTO kyneta_doc_meta VALUES ('a', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 1"}');
INSERT INTO kyneta_doc_meta VALUES (CAST(X'610062' AS TEXT), '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 3"}');
INSERT INTO kyneta_doc_meta VALUES ('bytes', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_doc_meta VALUES ('gap', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_doc_meta VALUES ('odd', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_doc_meta VALUES ('replaced', '{"replicaType":["yjs",1,4],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h2"}');
INSERT INTO kyneta_doc_meta VALUES ('text', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_doc_meta VALUES ('users/a', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}');
INSERT INTO kyneta_doc_meta VALUES (CAST(X'e697a5e69cac2fc3a9' AS TEXT), '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 4"}');
CREATE TABLE kyneta_records ( doc_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT, blob BLOB, PRIMARY KEY (doc_id, seq) ) WITHOUT ROWID ;
INSERT INTO kyneta_records VALUES ('', 0, 'meta', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 0"}', NULL);
INSERT INTO kyneta_records VALUES ('Users/A', 0, 'meta', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}', NULL);
INSERT INTO kyneta_records VALUES ('a', 0, 'meta', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 1"}', NULL);
INSERT INTO kyneta_records VALUES (CAST(X'610062' AS TEXT), 0, 'meta', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 3"}', NULL);
INSERT INTO kyneta_records VALUES ('bytes', 0, 'meta', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('bytes', 1, 'entry', '{"kind":"since","encoding":"binary","version":"AQ=="}', X'0001ff');
INSERT INTO kyneta_records VALUES ('bytes', 2, 'entry', '{"kind":"entirety","encoding":"binary","version":""}', X'');
INSERT INTO kyneta_records VALUES ('bytes', 3, 'entry', '{"kind":"since","encoding":"binary","version":"v","lineage":""}', X'07');
INSERT INTO kyneta_records VALUES ('gap', 0, 'meta', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('gap', 2, 'entry', '{"kind":"since","encoding":"json","version":"1","data":"after a gap"}', NULL);
INSERT INTO kyneta_records VALUES ('odd', 0, 'meta', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('odd', 1, 'entry', '{"kind":"since","encoding":"binary","version":"v","data":"text that calls itself binary"}', NULL);
INSERT INTO kyneta_records VALUES ('odd', 2, 'entry', '{"kind":"since","encoding":"json","version":"v"}', X'09');
INSERT INTO kyneta_records VALUES ('replaced', 0, 'entry', '{"kind":"entirety","encoding":"json","version":"9","data":"snapshot"}', NULL);
INSERT INTO kyneta_records VALUES ('replaced', 1, 'meta', '{"replicaType":["yjs",1,4],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h2"}', NULL);
INSERT INTO kyneta_records VALUES ('replaced', 2, 'entry', '{"kind":"since","encoding":"json","version":"10","data":"d"}', NULL);
INSERT INTO kyneta_records VALUES ('text', 0, 'meta', '{"replicaType":["yjs",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('text', 1, 'entry', CAST(X'7b226b696e64223a22656e746972657479222c22656e636f64696e67223a226a736f6e222c2276657273696f6e223a2231222c2264617461223a227b5c22615c223a5c22c3a9f09f98805c5c75303030305c5c75643830305c227d227d' AS TEXT), NULL);
INSERT INTO kyneta_records VALUES ('text', 2, 'entry', '{"kind":"since","encoding":"json","version":"2","data":"x\u0000\"\\\n","lineage":"L1"}', NULL);
INSERT INTO kyneta_records VALUES ('users/a', 0, 'meta', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}', NULL);
INSERT INTO kyneta_records VALUES (CAST(X'e697a5e69cac2fc3a9' AS TEXT), 0, 'meta', '{"replicaType":["plain",1,0],"syncMode":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 4"}', NULL);
CREATE TABLE kyneta_store_meta ( key TEXT PRIMARY KEY, value TEXT NOT NULL ) WITHOUT ROWID ;
INSERT INTO kyneta_store_meta VALUES ('format', '{"major":1,"minor":0}');
`

/** What 1.6 would have written, by its description: other table names, `syncProtocol`, no lineage, no mark of the format. */
export const KYNETA_1_SQL: string = String.raw`
CREATE TABLE kyneta_meta ( doc_id TEXT PRIMARY KEY, data TEXT NOT NULL ) WITHOUT ROWID ;
INSERT INTO kyneta_meta VALUES ('', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 0"}');
INSERT INTO kyneta_meta VALUES ('Users/A', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}');
INSERT INTO kyneta_meta VALUES ('a', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 1"}');
INSERT INTO kyneta_meta VALUES (CAST(X'610062' AS TEXT), '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 3"}');
INSERT INTO kyneta_meta VALUES ('bytes', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_meta VALUES ('gap', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_meta VALUES ('odd', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_meta VALUES ('replaced', '{"replicaType":["yjs",1,4],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h2"}');
INSERT INTO kyneta_meta VALUES ('text', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}');
INSERT INTO kyneta_meta VALUES ('users/a', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}');
INSERT INTO kyneta_meta VALUES (CAST(X'e697a5e69cac2fc3a9' AS TEXT), '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 4"}');
CREATE TABLE kyneta_records ( doc_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT, blob BLOB, PRIMARY KEY (doc_id, seq) ) WITHOUT ROWID ;
INSERT INTO kyneta_records VALUES ('', 0, 'meta', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 0"}', NULL);
INSERT INTO kyneta_records VALUES ('Users/A', 0, 'meta', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}', NULL);
INSERT INTO kyneta_records VALUES ('a', 0, 'meta', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 1"}', NULL);
INSERT INTO kyneta_records VALUES (CAST(X'610062' AS TEXT), 0, 'meta', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 3"}', NULL);
INSERT INTO kyneta_records VALUES ('bytes', 0, 'meta', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('bytes', 1, 'entry', '{"kind":"since","encoding":"binary","version":"AQ=="}', X'0001ff');
INSERT INTO kyneta_records VALUES ('bytes', 2, 'entry', '{"kind":"entirety","encoding":"binary","version":""}', X'');
INSERT INTO kyneta_records VALUES ('bytes', 3, 'entry', '{"kind":"since","encoding":"binary","version":"v"}', X'07');
INSERT INTO kyneta_records VALUES ('gap', 0, 'meta', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('gap', 2, 'entry', '{"kind":"since","encoding":"json","version":"1","data":"after a gap"}', NULL);
INSERT INTO kyneta_records VALUES ('odd', 0, 'meta', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('odd', 1, 'entry', '{"kind":"since","encoding":"binary","version":"v","data":"text that calls itself binary"}', NULL);
INSERT INTO kyneta_records VALUES ('odd', 2, 'entry', '{"kind":"since","encoding":"json","version":"v"}', X'09');
INSERT INTO kyneta_records VALUES ('replaced', 0, 'entry', '{"kind":"entirety","encoding":"json","version":"9","data":"snapshot"}', NULL);
INSERT INTO kyneta_records VALUES ('replaced', 1, 'meta', '{"replicaType":["yjs",1,4],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h2"}', NULL);
INSERT INTO kyneta_records VALUES ('replaced', 2, 'entry', '{"kind":"since","encoding":"json","version":"10","data":"d"}', NULL);
INSERT INTO kyneta_records VALUES ('text', 0, 'meta', '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}', NULL);
INSERT INTO kyneta_records VALUES ('text', 1, 'entry', CAST(X'7b226b696e64223a22656e746972657479222c22656e636f64696e67223a226a736f6e222c2276657273696f6e223a2231222c2264617461223a227b5c22615c223a5c22c3a9f09f98805c5c75303030305c5c75643830305c227d227d' AS TEXT), NULL);
INSERT INTO kyneta_records VALUES ('text', 2, 'entry', '{"kind":"since","encoding":"json","version":"2","data":"x\u0000\"\\\n"}', NULL);
INSERT INTO kyneta_records VALUES ('users/a', 0, 'meta', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 7"}', NULL);
INSERT INTO kyneta_records VALUES (CAST(X'e697a5e69cac2fc3a9' AS TEXT), 0, 'meta', '{"replicaType":["plain",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"of 4"}', NULL);
`
