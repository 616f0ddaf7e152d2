-- Creates databases and roles. The server's administrator runs it once, with the four passwords in the environment:
--   psql --username postgres --set ON_ERROR_STOP=1 --file databases.sql
\getenv owner_password QUALITY_OWNER_PASSWORD
\getenv runs_password QUALITY_RUNS_PASSWORD
\getenv dashboard_password QUALITY_DASHBOARD_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD

-- The owner only migrates the store; no other role can remove the triggers.
CREATE ROLE quality_owner LOGIN PASSWORD :'owner_password';
-- `telemetry-quality migrate --runs-role quality_runs --dashboard-role quality_dashboard` says what these two may do:
-- runs append what was measured; the dashboard appends what people do, and changes accounts, sessions and tokens.
CREATE ROLE quality_runs LOGIN PASSWORD :'runs_password';
CREATE ROLE quality_dashboard LOGIN PASSWORD :'dashboard_password';
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';

CREATE DATABASE quality OWNER quality_owner TEMPLATE template0 ENCODING 'UTF8';
CREATE DATABASE dagster OWNER dagster TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE quality, dagster FROM PUBLIC;
GRANT CONNECT ON DATABASE quality TO quality_runs, quality_dashboard;

\connect quality
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO quality_owner;
