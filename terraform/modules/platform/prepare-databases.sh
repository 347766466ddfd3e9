# Has each of $DATABASES its role with the password of today, and is it that role's alone?
for name in $DATABASES; do
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=name="$name" <<SQL
\getenv password PASSWORD_$name
SELECT format('CREATE ROLE %I LOGIN', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
-- The administrator of RDS is no superuser: it gives away only as whom it could act.
GRANT :"name" TO CURRENT_USER;
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
  echo "$name is ready"
done
