#!/usr/bin/env bash
# Holds kafka-egress to a real broker of Kafka, whose jars come from Maven Central and are kept in .cache.
set -euo pipefail
python=${1:?the interpreter of the environment}
version=4.2.1
jars=$PWD/.cache/kafka-$version
if [ ! -e "$jars/whole" ]; then
    if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then scripts/debian.sh openjdk-17-jre-headless maven; fi
    mkdir -p "$jars"
    cat >"$jars/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>attacca</groupId><artifactId>brokers</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
    copy=org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies
    (cd "$jars" && mvn -q -B "$copy" "-DoutputDirectory=$jars" && touch whole)
fi
exec "$python" -m tests.brokers "$jars"
