-- Runs once on the primary, before its binary log is opened to the replicas: they receive it by replication.
CREATE DATABASE IF NOT EXISTS tpcw;
CREATE USER IF NOT EXISTS 'shop'@'%' IDENTIFIED BY 'shop';
GRANT ALL ON tpcw.* TO 'shop'@'%';
CREATE USER IF NOT EXISTS 'operator'@'%' IDENTIFIED BY 'operator';
GRANT ALL ON *.* TO 'operator'@'%' WITH GRANT OPTION;
