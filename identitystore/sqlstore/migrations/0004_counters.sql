ALTER TABLE tenant ADD COLUMN flat_n {big} NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN edge_n {big} NOT NULL DEFAULT 0;
UPDATE tenant SET flat_n = (SELECT count(*) FROM flat WHERE flat.tenant = tenant.tid), edge_n = (SELECT count(*) FROM edge WHERE edge.tenant = tenant.tid);
