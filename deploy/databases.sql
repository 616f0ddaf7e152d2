-- Creates databases and roles. The server's administrator runs it once, with the three passwords in the environment:
--   psql --username postgres --set ON_ERROR_STOP=1 --file databases.sql
\getenv owner_password QUALITY_OWNER_PASSWORD
\getenv app_password QUALITY_APP_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD

-- The owner only migrates the store; no other role can remove the triggers.
CREATE ROLE quality_owner LOGIN PASSWORD :'owner_password';
-- Runs and the dashboard append rows, and change only accounts, sessions and tokens of the dashboard.
CREATE ROLE quality_app LOGIN PASSWORD :'app_password';
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';

CREATE DATABASE quality OWNER quality_owner TEMPLATE template0 ENCODING 'UTF8';
CREATE DATABASE dagster OWNER dagster TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE quality, dagster FROM PUBLIC;
GRANT CONNECT ON DATABASE quality TO quality_app;

\connect quality
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO quality_owner;
GRANT USAGE ON SCHEMA public TO quality_app;
-- Applies to all tables that migrations create. Triggers refuse UPDATE and DELETE, except on the tables of staff and on
-- the lengths of the chains.
ALTER DEFAULT PRIVILEGES FOR ROLE quality_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO quality_app;
ALTER DEFAULT PRIVILEGES FOR ROLE quality_owner IN SCHEMA public
    GRANT USAGE ON SEQUENCES TO quality_app;
