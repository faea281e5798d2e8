/** The frame around every page of a signed-in user: where to go, how to find, who you are, whether what you see is live. */

import { Burger, Drawer, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { spotlight } from "@mantine/spotlight";
import { IconSearch } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, type RefObject } from "react";
import { followLiveEvents } from "../api/live-events.ts";
import { Mark } from "../components/mark.tsx";
import { AccountMenu } from "./account-menu.tsx";
import { CommandPalette } from "./command-palette.tsx";
import { LiveIndicator } from "./live-indicator.tsx";
import { NAVIGATION } from "./navigation.ts";
import { SchemeToggle } from "./scheme-toggle.tsx";
import classes from "./shell.module.css";

export function Shell() {
  const [menuOpen, menu] = useDisclosure(false);
  const main = useRef<HTMLElement>(null);
  useFocusOnNavigation(main, menu.close);
  useLiveEvents();
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        Skip to content
      </a>
      <aside className={classes.sidebar}>
        <div className={classes.rail}>
          <Brand />
          <Navigation />
        </div>
      </aside>
      <header className={classes.bar}>
        <Burger
          className={classes.burger}
          size="sm"
          opened={menuOpen}
          onClick={menu.toggle}
          aria-label="Navigation"
        />
        <SearchButton />
        <div className={classes.right}>
          <LiveIndicator />
          <SchemeToggle />
          <AccountMenu />
        </div>
      </header>
      <Drawer opened={menuOpen} onClose={menu.close} title={<Brand />} size="17rem" padding="sm">
        <div className={classes.drawerNav}>
          <Navigation />
        </div>
      </Drawer>
      <main id="main" className={classes.main} tabIndex={-1} ref={main}>
        <Outlet />
      </main>
      <CommandPalette />
    </div>
  );
}

function Brand() {
  return (
    <Link to="/" className={classes.brand}>
      <Mark size={22} /> Mainstay
    </Link>
  );
}

function Navigation() {
  return (
    <nav aria-label="Main">
      {NAVIGATION.map((group) => (
        <div key={group.label} className={classes.group}>
          <p className={classes.groupLabel}>{group.label}</p>
          <ul className={classes.items}>
            {group.items.map((item) => (
              <li key={item.to}>
                <Link to={item.to} className={classes.item} activeOptions={{ exact: item.to === "/" }}>
                  <item.icon size={17} stroke={1.7} aria-hidden />
                  {item.label}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

function SearchButton() {
  return (
    <UnstyledButton
      className={classes.search}
      onClick={spotlight.open}
      aria-label="Find a page, customer or device"
      aria-keyshortcuts="Control+K"
    >
      <IconSearch size={15} aria-hidden />
      <span className={classes.searchText}>Find a page, customer or device</span>
      <kbd className={classes.keys}>Ctrl K</kbd>
    </UnstyledButton>
  );
}

/** Follows the server for as long as somebody is signed in on this page. */
function useLiveEvents(): void {
  const queries = useQueryClient();
  useEffect(() => {
    const leaving = new AbortController();
    followLiveEvents(queries, leaving.signal);
    return () => leaving.abort();
  }, [queries]);
}

/** A new page begins at its top, for the eyes and for the keyboard; without this, focus stays on a link that is gone. */
function useFocusOnNavigation(main: RefObject<HTMLElement | null>, closeMenu: () => void): void {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const before = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (before.current !== undefined && before.current !== path) {
      closeMenu();
      main.current?.focus({ preventScroll: true });
    }
    before.current = path;
  }, [path, main, closeMenu]);
}
