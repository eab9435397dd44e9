#include "process/successor.h"

#include <unistd.h>

#include "check.h"

namespace sockmon {
namespace {

constexpr uint64_t kDeathTicks = 5000;

/// A root daemon that led its session, and a stranger beside it.
struct World {
  ProcessFacts master;
  ProcessFacts other;
  World() {
    master.stat.pid = 100;
    master.stat.session = 100;
    master.stat.start_ticks = 1000;
    master.stat.image = {11, 12};
    master.executable = "/usr/sbin/x";
    master.user = 0;
    master.namespaces = {1, 2};
    other = master;
    other.stat.pid = 200;
    other.stat.session = 200;
    other.stat.start_ticks = kDeathTicks + 1;
    other.stat.image = {21, 22};
  }
  Departed dead() const { return {remember(master, {1, 2}), kDeathTicks}; }
  bool succeeds(Claim claim) const { return !objection(other, dead(), claim); }
};

void who_is_born_after_the_death_succeeds() {
  World world;
  for (const Claim claim : {Claim::words, Claim::socket, Claim::pidfile}) CHECK(world.succeeds(claim));
}

void a_survivor_of_the_same_name_does_not() {
  World world;
  world.other.stat.start_ticks = kDeathTicks - 1;
  CHECK(!world.succeeds(Claim::words));
  // It has the socket, or the pidfile: then it is the one.
  CHECK(world.succeeds(Claim::socket) && world.succeeds(Claim::pidfile));
}

void a_child_that_is_left_behind_does_not() {
  for (const int way : {0, 1, 2}) {
    World world;
    if (way == 0) world.other.stat.parent = 100;
    if (way == 1) world.other.stat.session = 100;
    if (way == 2) world.other.stat.image = world.master.stat.image;
    CHECK(!world.succeeds(Claim::words));
    // A child that has executed the same program anew carries on with the inherited socket: an upgrade in flight.
    CHECK(world.succeeds(Claim::socket) == (way != 2));
    world.other.executable = "/usr/libexec/x-worker";
    CHECK(!world.succeeds(Claim::socket));
  }
}

void a_hidden_image_tells_nothing() {
  World world;
  world.master.stat.image = world.other.stat.image = {};
  CHECK(world.succeeds(Claim::words));
  // But a child of which it is not known whether it is a fork is taken for one.
  world.other.stat.session = 100;
  CHECK(!world.succeeds(Claim::socket));
}

void another_user_does_not_except_root() {
  World world;
  world.other.user = 1000;
  CHECK(!world.succeeds(Claim::words) && !world.succeeds(Claim::socket));
  world.master.user = 1000;
  CHECK(world.succeeds(Claim::words));
  world.other.user = 0;
  CHECK(world.succeeds(Claim::words));
  // It began as root and has been somebody else since.
  world.master.user = 0;
  world.other.user = 105;
  Departed dead = world.dead();
  CHECK(objection(world.other, dead, Claim::words));
  dead.watched.last_user = 105;
  CHECK(!objection(world.other, dead, Claim::words));
}

void a_container_is_another_place() {
  World world;
  world.other.namespaces = {1, 3};
  CHECK(!world.succeeds(Claim::words) && world.succeeds(Claim::socket));
  world.other.namespaces = {3, 2};
  CHECK(!world.succeeds(Claim::words));
  world.other.namespaces = {0, 0};
  CHECK(world.succeeds(Claim::words));
  // It was in a container itself: each start makes new namespaces.
  world.other.namespaces = {8, 9};
  world.master.namespaces = {6, 7};
  CHECK(world.succeeds(Claim::words));
}

void the_dead_one_itself_never_does() {
  World world;
  world.other = world.master;
  for (const Claim claim : {Claim::words, Claim::socket, Claim::pidfile}) CHECK(!world.succeeds(claim));
}

void a_death_is_one_tick_wide() {
  const World world;
  const Departed dead = depart(remember(world.master, {}), 60'000);
  CHECK(dead.born_since_ticks < static_cast<uint64_t>(60 * sysconf(_SC_CLK_TCK)));
  CHECK(dead.born_since_ticks + 2 > static_cast<uint64_t>(60 * sysconf(_SC_CLK_TCK)));
  CHECK(depart(remember(world.master, {}), 0).born_since_ticks == 0);
}

}  // namespace

void test_successor() {
  who_is_born_after_the_death_succeeds();
  a_survivor_of_the_same_name_does_not();
  a_child_that_is_left_behind_does_not();
  a_hidden_image_tells_nothing();
  another_user_does_not_except_root();
  a_container_is_another_place();
  the_dead_one_itself_never_does();
  a_death_is_one_tick_wide();
}

}  // namespace sockmon
