"""Every system call of Linux up to 7.0, by what becomes of it in a sandbox.

What is allowed is listed, so that a call that the kernel learns tomorrow is answered ENOSYS, as an older kernel would
answer it: libraries know how to live without. What has been a way out, or a way to others, is answered EPERM, as the
kernel answers whoever lacks the right: libraries do not mistake that for an old kernel and try an older way.

Each is written name:x86_64:aarch64, without a number where the architecture has no such call. What begins with # is a
remark up to the line's end.
"""

ALLOWED = """
    # files and directories
    read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 preadv:295:69 pwritev:296:70
    preadv2:327:286 pwritev2:328:287 lseek:8:62 open:2: openat:257:56 openat2:437:437 creat:85: close:3:57
    close_range:436:436 access:21: faccessat:269:48 faccessat2:439:439 stat:4: fstat:5:80 lstat:6: newfstatat:262:79
    statx:332:291 statfs:137:43 fstatfs:138:44 getdents:78: getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50
    mkdir:83: mkdirat:258:34 rmdir:84: rename:82: renameat:264:38 renameat2:316:276 link:86: linkat:265:37
    unlink:87: unlinkat:263:35 symlink:88: symlinkat:266:36 readlink:89: readlinkat:267:78 mknod:133: mknodat:259:33
    chmod:90: fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 chown:92: fchown:93:55 lchown:94: fchownat:260:54
    umask:95:166 utime:132: utimes:235: futimesat:261: utimensat:280:88 truncate:76:45 ftruncate:77:46
    fallocate:285:47 fadvise64:221:223 readahead:187:213 fsync:74:82 fdatasync:75:83 sync_file_range:277:84
    flock:73:32 dup:32:23 dup2:33: dup3:292:24 sendfile:40:71 splice:275:76 tee:276:77 copy_file_range:326:285
    pipe:22: pipe2:293:59 setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 getxattr:191:8 lgetxattr:192:9
    fgetxattr:193:10 listxattr:194:11 llistxattr:195:12 flistxattr:196:13 removexattr:197:14 lremovexattr:198:15
    fremovexattr:199:16 setxattrat:463:463 getxattrat:464:464 listxattrat:465:465 removexattrat:466:466
    # memory
    mprotect:10:226 munmap:11:215 mremap:25:216 msync:26:227 mincore:27:232 brk:12:214 mlock:149:228 mlock2:325:284
    munlock:150:229 mlockall:151:230 munlockall:152:231 pkey_mprotect:329:288 pkey_alloc:330:289 pkey_free:331:290
    mseal:462:462 map_shadow_stack:453:453 get_mempolicy:239:236 set_mempolicy:238:237
    # processes and threads
    fork:57: vfork:58: execve:59:221 execveat:322:281 exit:60:93 exit_group:231:94 wait4:61:260 waitid:247:95
    getpid:39:172 getppid:110:173 gettid:186:178 getpgid:121:155 setpgid:109:154 getpgrp:111: getsid:124:156
    setsid:112:157 arch_prctl:158: set_tid_address:218:96 rseq:334:293 membarrier:324:283 futex:202:98
    futex_waitv:449:449 futex_wake:454:454 futex_wait:455:455 futex_requeue:456:456 set_robust_list:273:99
    get_robust_list:274:100 getrlimit:97:163 setrlimit:160:164 prlimit64:302:261 getrusage:98:165 times:100:153
    pidfd_open:434:434 uretprobe:335: uprobe:336:
    # who they are; gaining rights is the kernel's to refuse
    getuid:102:174 geteuid:107:175 getresuid:118:148 setuid:105:146 setreuid:113:145 setresuid:117:147
    setfsuid:122:151 getgid:104:176 getegid:108:177 getresgid:120:150 setgid:106:144 setregid:114:143
    setresgid:119:149 setfsgid:123:152 getgroups:115:158 setgroups:116:159 capget:125:90 capset:126:91
    seccomp:317:277 landlock_create_ruleset:444:444 landlock_add_rule:445:445 landlock_restrict_self:446:446
    # signals
    kill:62:129 tkill:200:130 tgkill:234:131 pidfd_send_signal:424:424 rt_sigaction:13:134 rt_sigprocmask:14:135
    rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133 rt_sigqueueinfo:129:138
    rt_tgsigqueueinfo:297:240 sigaltstack:131:132 pause:34: restart_syscall:219:128 signalfd:282: signalfd4:289:74
    # time and chance
    time:201: gettimeofday:96:169 clock_gettime:228:113 clock_getres:229:114 nanosleep:35:101
    clock_nanosleep:230:115 alarm:37: getitimer:36:102 setitimer:38:103 timer_create:222:107 timer_settime:223:110
    timer_gettime:224:108 timer_getoverrun:225:109 timer_delete:226:111 timerfd_create:283:85 timerfd_settime:286:86
    timerfd_gettime:287:87 getrandom:318:278
    # scheduling
    sched_yield:24:124 sched_setparam:142:118 sched_getparam:143:121 sched_setscheduler:144:119
    sched_getscheduler:145:120 sched_setattr:314:274 sched_getattr:315:275 sched_get_priority_max:146:125
    sched_get_priority_min:147:126 sched_rr_get_interval:148:127 sched_setaffinity:203:122 sched_getaffinity:204:123
    getpriority:140:141 setpriority:141:140 ioprio_set:251:30 ioprio_get:252:31 getcpu:309:168
    # waiting and sockets
    poll:7: ppoll:271:73 select:23: pselect6:270:72 epoll_create:213: epoll_create1:291:20 epoll_ctl:233:21
    epoll_wait:232: epoll_pwait:281:22 epoll_pwait2:441:441 eventfd:284: eventfd2:290:19 connect:42:203
    accept:43:202 accept4:288:242 bind:49:200 listen:50:201 shutdown:48:210 getsockname:51:204 getpeername:52:205
    getsockopt:55:209 sendto:44:206 sendmsg:46:211 sendmmsg:307:269 recvfrom:45:207 recvmsg:47:212 recvmmsg:299:243
    # the machine
    uname:63:160 sysinfo:99:179
"""
# Answered by what is asked for: see `seccomp.py`.
ASKED = """
    clone:56:220 socket:41:198 socketpair:53:199 setsockopt:54:208 ioctl:16:29 prctl:157:167 fcntl:72:25
    madvise:28:233 setns:308:268 mmap:9:222 memfd_create:319:279
"""
DENIED = """
    # mounts and roots
    mount:165:40 umount2:166:39 pivot_root:155:41 chroot:161:51 move_mount:429:429 open_tree:428:428
    open_tree_attr:467:467 fsopen:430:430 fsconfig:431:431 fsmount:432:432 fspick:433:433 mount_setattr:442:442
    name_to_handle_at:303:264 open_by_handle_at:304:265
    # namespaces and names
    unshare:272:97 sethostname:170:161 setdomainname:171:162
    # looking into processes
    ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271 process_madvise:440:440 kcmp:312:272
    pidfd_getfd:438:438 userfaultfd:323:282 perf_event_open:298:241 move_pages:279:239 migrate_pages:256:238
    mbind:237:235 set_mempolicy_home_node:450:450
    # what others open, across mount namespaces
    inotify_init:253: inotify_init1:294:26 inotify_add_watch:254:27 inotify_rm_watch:255:28 fanotify_init:300:262
    fanotify_mark:301:263 lookup_dcookie:212:18
    # code for the kernel
    bpf:321:280 init_module:175:105 finit_module:313:273 delete_module:176:106 create_module:174: kexec_load:246:104
    kexec_file_load:320:294 io_uring_setup:425:425 io_uring_enter:426:426 io_uring_register:427:427
    # keyrings and the log
    add_key:248:217 request_key:249:218 keyctl:250:219 syslog:103:116
    # the machine itself
    reboot:169:142 swapon:167:224 swapoff:168:225 acct:163:89 quotactl:179:60 quotactl_fd:443:443 nfsservctl:180:42
    settimeofday:164:170 clock_settime:227:112 clock_adjtime:305:266 adjtimex:159:171 vhangup:153:58
    # old ways of the processor and of other systems
    iopl:172: ioperm:173: modify_ldt:154: uselib:134: personality:135:92 vmsplice:278:75
"""
# Answered with success and not made: they would write out what the whole machine has not written, as often as a
# function likes, and what a sandbox can write to is memory.
PRETENDED = """
    sync:162:81 syncfs:306:267
"""
# Answered ENOSYS like all that is not listed here.
MISSING = """
    # its flags lie in memory, where no filter sees them; C libraries fall back to clone
    clone3:435:435
    # memory and quotas that belong to no process: System V's, POSIX message queues, asynchronous blocks
    shmget:29:194 shmat:30:196 shmdt:67:197 shmctl:31:195 semget:64:190 semop:65:193 semtimedop:220:192
    semctl:66:191 msgget:68:186 msgsnd:69:189 msgrcv:70:188 msgctl:71:187 mq_open:240:180 mq_unlink:241:181
    mq_timedsend:242:182 mq_timedreceive:243:183 mq_notify:244:184 mq_getsetattr:245:185 io_setup:206:0
    io_destroy:207:1 io_getevents:208:4 io_pgetevents:333:292 io_submit:209:2 io_cancel:210:3
    # pages that nobody who counts can see, and what tells of other's pages
    memfd_secret:447:447 process_mrelease:448:448 cachestat:451:451
    # what tells of the machine's mounts, namespaces and guards
    statmount:457:457 listmount:458:458 listns:470:470 lsm_get_self_attr:459:459 lsm_set_self_attr:460:460
    lsm_list_modules:461:461
    # young, and nothing needs them
    file_getattr:468:468 file_setattr:469:469 rseq_slice_yield:471:471
    # given up by the kernel itself
    _sysctl:156: sysfs:139: ustat:136: get_kernel_syms:177: query_module:178: getpmsg:181: putpmsg:182:
    afs_syscall:183: tuxcall:184: security:185: vserver:236: set_thread_area:205: get_thread_area:211:
    epoll_ctl_old:214: epoll_wait_old:215: remap_file_pages:216:234
"""
MACHINES = ("x86_64", "aarch64")


def numbers(table: str, machine: str) -> dict[str, int]:
    """The calls of one table by name, as far as this machine has them."""
    found = {}
    for line in table.splitlines():
        for word in line.partition("#")[0].split():
            name, *each = word.split(":")
            if number := each[MACHINES.index(machine)]:
                found[name] = int(number)
    return found
