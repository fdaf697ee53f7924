/* file_test.c - atomic writes, locks, random bytes.   SPDX-License-Identifier: MIT */
#include "../../src/core/file.h"
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char root[64] = "/tmp/multimodal-file-XXXXXX";

/* A path in the test's directory; the last four stay valid. */
static const char *in_root(const char *name) {
  static char paths[4][512];
  static int turn;
  char *path = paths[turn++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", root, name);
  return path;
}

static int entries(void) {
  int n = 0;
  DIR *d = opendir(root);
  CHECK(d);
  for (struct dirent *e = readdir(d); e; e = readdir(d))
    n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

static bool holds(const char *path, const char *want) {
  char got[256];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return false;
  ssize_t n = read(fd, got, sizeof got);
  close(fd);
  return n == (ssize_t)strlen(want) && memcmp(got, want, (size_t)n) == 0;
}

static int put(const char *path, const char *text, int flags, struct mm_error *err) {
  return mm_file_write(path, text, strlen(text), flags, err);
}

static void replaces_a_file_whole(void) {
  const char *path = in_root("a");
  CHECK(put(path, "one", 0, NULL) == MM_OK && holds(path, "one"));
  CHECK(put(path, "two", MM_FILE_SYNC, NULL) == MM_OK && holds(path, "two"));
  CHECK(put(path, "", 0, NULL) == MM_OK && holds(path, ""));
  CHECK(entries() == 1);
  unlink(path);
}

static void shows_nothing_before_commit(void) {
  const char *path = in_root("a");
  CHECK(put(path, "old", 0, NULL) == MM_OK);
  struct mm_file_writer w;
  CHECK(mm_file_begin(&w, path, 0, NULL) == MM_OK);
  CHECK(mm_file_put(&w, "ne", 2, NULL) == MM_OK && mm_file_put(&w, "w", 1, NULL) == MM_OK);
  CHECK(holds(path, "old") && entries() == 2);
  CHECK(mm_file_commit(&w, NULL) == MM_OK);
  CHECK(holds(path, "new") && entries() == 1);
  CHECK(mm_file_begin(&w, path, 0, NULL) == MM_OK && mm_file_put(&w, "x", 1, NULL) == MM_OK);
  mm_file_abort(&w);
  mm_file_abort(&w);
  CHECK(holds(path, "new") && entries() == 1);
  unlink(path);
}

static void never_replaces_when_exclusive(void) {
  const char *path = in_root("a");
  struct mm_error err;
  CHECK(put(path, "one", MM_FILE_EXCLUSIVE, NULL) == MM_OK);
  CHECK(put(path, "two", MM_FILE_EXCLUSIVE, &err) == MM_EFILE && err.os == EEXIST);
  CHECK(put(path, "two", MM_FILE_EXCLUSIVE | MM_FILE_APPEND, &err) == MM_EFILE);
  CHECK(err.os == EEXIST && holds(path, "one") && entries() == 1);
  unlink(path);

  struct mm_file_writer w; /* another one comes between begin and commit */
  CHECK(mm_file_begin(&w, path, MM_FILE_EXCLUSIVE, NULL) == MM_OK);
  CHECK(put(path, "first", 0, NULL) == MM_OK);
  CHECK(mm_file_put(&w, "second", 6, NULL) == MM_OK);
  CHECK(mm_file_commit(&w, &err) == MM_EFILE && err.os == EEXIST);
  CHECK(holds(path, "first") && entries() == 1);
  unlink(path);
}

static void lets_one_writer_win(void) {
  enum { WRITERS = 6 };
  const char *path = in_root("a");
  int gate[2];
  CHECK(pipe(gate) == 0);
  for (int i = 0; i < WRITERS; i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child) continue;
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 0) _exit(2);
    _exit(put(path, "mine", MM_FILE_EXCLUSIVE | MM_FILE_SYNC, NULL) == MM_OK ? 0 : 1);
  }
  close(gate[0]);
  close(gate[1]);
  int winners = 0, status;
  for (int i = 0; i < WRITERS; i++) {
    CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) < 2);
    winners += WEXITSTATUS(status) == 0;
  }
  CHECK(winners == 1 && holds(path, "mine") && entries() == 1);
  unlink(path);
}

static void appends(void) {
  const char *path = in_root("log");
  CHECK(put(path, "a\n", MM_FILE_APPEND, NULL) == MM_OK);
  CHECK(put(path, "b\n", MM_FILE_APPEND | MM_FILE_SYNC, NULL) == MM_OK);
  CHECK(holds(path, "a\nb\n") && entries() == 1);
  unlink(path);
  struct mm_file_writer w;
  CHECK(mm_file_begin(&w, path, MM_FILE_APPEND, NULL) == MM_EINVAL);
}

/* A record that a full disk cuts short is taken back. */
static void appends_all_or_nothing(void) {
  const char *path = in_root("log");
  struct mm_error err;
  struct rlimit before, small;
  CHECK(put(path, "first\n", MM_FILE_APPEND, NULL) == MM_OK);
  CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
  signal(SIGXFSZ, SIG_IGN);
  small = before;
  small.rlim_cur = 10;
  CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
  int appended = put(path, "second\n", MM_FILE_APPEND, &err);
  int os = err.os;
  int replaced = put(path, "a text of more than ten bytes", 0, &err);
  CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(appended == MM_EFILE && os == EFBIG);
  CHECK(replaced == MM_EFILE && err.os == EFBIG);
  CHECK(holds(path, "first\n") && entries() == 1);
  unlink(path);
}

static void says_what_failed(void) {
  struct mm_error err;
  CHECK(put("/nowhere/x", "a", 0, &err) == MM_EFILE && err.os == ENOENT);
  CHECK(strcmp(err.text, "cannot write \"/nowhere/x\": no such file or directory") == 0);
  CHECK(put("/nowhere/x", "a", MM_FILE_APPEND, &err) == MM_EFILE && err.os == ENOENT);
  CHECK(put(root, "a", 0, &err) == MM_EFILE && err.os == EISDIR);
  CHECK(put(root, "a", MM_FILE_APPEND, &err) == MM_EFILE && err.os == EISDIR);
  CHECK(put("", "a", 0, &err) == MM_EFILE && err.os != 0);
  CHECK(put("/dev/full", "a", 0, &err) == MM_EFILE && err.os == ENOSPC);
  CHECK(strcmp(err.text, "cannot write \"/dev/full\": no space left on device") == 0);
  CHECK(put("/dev/full", "a", MM_FILE_APPEND, &err) == MM_EFILE && err.os == ENOSPC);
  int fd;
  CHECK(mm_file_lock("/nowhere/x", &fd, &err) == MM_EFILE && fd == -1);
  CHECK(strcmp(err.text, "cannot lock \"/nowhere/x\": no such file or directory") == 0);

  char path[400];
  memset(path, 'x', sizeof path - 1);
  memcpy(path, "/nowhere/", 9);
  memcpy(path + sizeof path - 1 - 121, "\xE2\x82\xAC", 3);
  path[sizeof path - 1] = '\0';
  CHECK(put(path, "a", 0, &err) == MM_EFILE);
  CHECK(strncmp(err.text, "cannot write \"...xxx", 20) == 0);
  CHECK(strstr(err.text, "x\": "));
}

static void writes_a_name_of_full_length(void) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = '\0';
  CHECK(put(in_root(name), "long", MM_FILE_SYNC, NULL) == MM_OK);
  CHECK(holds(in_root(name), "long") && entries() == 1);
  unlink(in_root(name));
}

/* Whose part file it was open to, until it got the mode of the file that it replaces. */
static mode_t mode_before;

int fchmod(int fd, mode_t mode) {
  struct stat st;
  mode_before = fstat(fd, &st) == 0 ? st.st_mode & 0777 : 0777;
  return (int)syscall(SYS_fchmod, fd, mode);
}

static void keeps_links_modes_and_devices(void) {
  const char *path = in_root("a"), *link = in_root("link");
  struct stat st;
  CHECK(put(path, "old", 0, NULL) == MM_OK && chmod(path, 0600) == 0);
  CHECK(symlink("a", link) == 0);
  CHECK(put(link, "new", 0, NULL) == MM_OK);
  CHECK(holds(path, "new") && lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
  CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600 && mode_before == 0600);
  const char *astray = in_root("astray");
  CHECK(symlink("nowhere", astray) == 0 && put(astray, "here", 0, NULL) == MM_OK);
  CHECK(holds(astray, "here") && lstat(astray, &st) == 0 && S_ISREG(st.st_mode));
  unlink(astray);
  CHECK(put("/dev/null", "gone", MM_FILE_SYNC, NULL) == MM_OK);
  CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
  CHECK(entries() == 2);
  unlink(link);
  unlink(path);
}

static void writes_beside_the_working_directory(void) {
  char before[512];
  CHECK(getcwd(before, sizeof before) && chdir(root) == 0);
  CHECK(put("plain", "x", MM_FILE_SYNC, NULL) == MM_OK && holds("plain", "x"));
  CHECK(unlink("plain") == 0 && chdir(before) == 0 && entries() == 0);
}

static void locks_against_all_others(void) {
  const char *path = in_root("lock");
  int fd, other;
  CHECK(mm_file_lock(path, &fd, NULL) == MM_OK);
  CHECK(mm_file_lock(path, &other, NULL) == MM_MORE && other == -1);
  close(fd);
  int ready[2];
  char byte;
  CHECK(pipe(ready) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (mm_file_lock(path, &fd, NULL) != MM_OK || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;)
      pause();
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  CHECK(mm_file_lock(path, &other, NULL) == MM_MORE);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
  CHECK(mm_file_lock(path, &other, NULL) == MM_OK);
  close(other);
  close(ready[0]);
  close(ready[1]);
  unlink(path);
}

static void draws_random_bytes(void) {
  unsigned char a[1000] = {0}, b[1000] = {0};
  CHECK(mm_random(a, sizeof a, NULL) == MM_OK && mm_random(b, sizeof b, NULL) == MM_OK);
  CHECK(memcmp(a, b, sizeof a) != 0);
  for (size_t at = 0; at < sizeof a; at += 50) { /* no stretch was left out */
    int zeros = 0;
    for (size_t i = at; i < at + 50; i++)
      zeros += a[i] == 0;
    CHECK(zeros < 25);
  }
  CHECK(mm_random(a, 0, NULL) == MM_OK);
}

static void survives_failing_memory(void) {
  const char *path = in_root("a"), *link = in_root("link");
  CHECK(put(path, "old", 0, NULL) == MM_OK && symlink("a", link) == 0);
  int rc = MM_OK;
  SWEEP_ALLOC(rc, {
    rc = put(link, "new", 0, NULL);
    CHECK(rc == MM_OK || rc == MM_ENOMEM);
    CHECK(holds(path, rc == MM_OK ? "new" : "old") && entries() == 2);
  });
  CHECK(rc == MM_OK);
  unlink(link);
  unlink(path);
}

int main(void) {
  CHECK(mkdtemp(root));
  replaces_a_file_whole();
  shows_nothing_before_commit();
  never_replaces_when_exclusive();
  lets_one_writer_win();
  appends();
  appends_all_or_nothing();
  says_what_failed();
  writes_a_name_of_full_length();
  keeps_links_modes_and_devices();
  writes_beside_the_working_directory();
  locks_against_all_others();
  draws_random_bytes();
  survives_failing_memory();
  CHECK(rmdir(root) == 0);
  return 0;
}
