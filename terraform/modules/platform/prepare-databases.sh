# Has each of $DATABASES its role with the password of today, and is it that role's alone?
for name in $DATABASES; do
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=name="$name" <<SQL
\getenv password PASSWORD_$name
SELECT format('CREATE ROLE %I LOGIN', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
-- The administrator of RDS is no superuser: it gives away only what it is a member of.
SELECT format('GRANT %I TO CURRENT_USER', :'name')
  WHERE NOT pg_has_role(current_user, :'name', 'MEMBER') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
  echo "$name is ready"
done
