//! The words requests begin with: by them a slip is told from what is meant.

use super::Protocol;
use crate::diagnostic::nearest;

/// Methods in IANA's registry.
const HTTP: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE \
     MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT \
     QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// First words of commands that Redis and its kin document.
const RESP: &str = "ACL APPEND ASKING AUTH BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS BLMOVE BLMPOP \
     BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER COMMAND CONFIG COPY DBSIZE DEBUG DECR DECRBY DEL DISCARD \
     DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXEC EXISTS EXPIRE EXPIREAT EXPIRETIME FAILOVER FCALL FCALL_RO FLUSHALL \
     FLUSHDB FUNCTION GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH \
     GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HELLO HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL \
     HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD \
     HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT INFO KEYS LASTSAVE LATENCY LCS LINDEX LINSERT LLEN \
     LMOVE LMPOP LOLWUT LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MEMORY MGET MIGRATE MODULE MONITOR MOVE MSET MSETNX \
     MULTI OBJECT PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PFCOUNT PFDEBUG PFMERGE PFSELFTEST PING PSETEX PSUBSCRIBE \
     PSYNC PTTL PUBLISH PUBSUB PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE RENAME RENAMENX REPLCONF REPLICAOF RESET \
     RESTORE RESTORE-ASKING ROLE RPOP RPOPLPUSH RPUSH RPUSHX SADD SAVE SCAN SCARD SCRIPT SDIFF SDIFFSTORE SELECT SET SETBIT \
     SETEX SETNX SETRANGE SHUTDOWN SINTER SINTERCARD SINTERSTORE SISMEMBER SLAVEOF SLOWLOG SMEMBERS SMISMEMBER SMOVE SORT \
     SORT_RO SPOP SPUBLISH SRANDMEMBER SREM SSCAN SSUBSCRIBE STRLEN SUBSCRIBE SUBSTR SUNION SUNIONSTORE SUNSUBSCRIBE SWAPDB \
     SYNC TIME TOUCH TTL TYPE UNLINK UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO \
     XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER \
     ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE \
     ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN \
     ZSCORE ZUNION ZUNIONSTORE";

/// First words of PostgreSQL's statements, those of replication included.
const POSTGRES: &str = "ABORT ALTER ANALYSE ANALYZE BASE_BACKUP BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE \
     CREATE_REPLICATION_SLOT DEALLOCATE DECLARE DELETE DISCARD DO DROP DROP_REPLICATION_SLOT END EXECUTE EXPLAIN FETCH GRANT \
     IDENTIFY_SYSTEM IMPORT INSERT LISTEN LOAD LOCK MERGE MOVE NOTIFY PREPARE READ_REPLICATION_SLOT REASSIGN REFRESH REINDEX \
     RELEASE REPACK RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW START START_REPLICATION TABLE \
     TIMELINE_HISTORY TRUNCATE UNLISTEN UPDATE UPLOAD_MANIFEST VACUUM VALUES WAIT WITH";

impl Protocol {
    fn words(self) -> &'static str {
        match self {
            Protocol::Http => HTTP,
            Protocol::Resp => RESP,
            Protocol::Postgres => POSTGRES,
        }
    }

    /// The word that is likely meant by one that is none of the protocol's own, if one is close. Others may be right:
    /// servers may take methods and commands nobody has written down.
    pub fn meant(self, command: &str) -> Option<&'static str> {
        let close = nearest(command, self.words().split_ascii_whitespace())?;
        // Where any word may be right, only what is hardly meant: one edit, or two in a long word. Of the word itself there
        // is none.
        let edits = strsim::damerau_levenshtein(&command.to_ascii_uppercase(), close);
        (1..=1 + close.len() / 8).contains(&edits).then_some(close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_that_is_meant_and_what_is_known_or_far_from_all_is_left_alone() {
        for (protocol, command, meant) in [
            (Protocol::Http, "GTE", Some("GET")),
            (Protocol::Http, "get", None),
            (Protocol::Http, "PURGE", None),
            (Protocol::Http, "LIST", None),
            (Protocol::Postgres, "SELCT", Some("SELECT")),
            (Protocol::Postgres, "COMMIT", None),
            (Protocol::Resp, "HGETAL", Some("HGETALL")),
            (Protocol::Resp, "JSON.SET", None),
        ] {
            assert_eq!(protocol.meant(command), meant, "{command}");
        }
    }

    #[test]
    fn every_word_is_there_once() {
        for protocol in [Protocol::Http, Protocol::Resp, Protocol::Postgres] {
            let words: Vec<&str> = protocol.words().split_whitespace().collect();
            let mut sorted = words.clone();
            sorted.dedup();
            assert_eq!(sorted, words);
            assert!(words.iter().all(|word| protocol.meant(word).is_none()));
        }
    }
}
