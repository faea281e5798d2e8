/** The frame of every page: where you are, what it is, what you can do here. Also names the browser's tab. */

import { Link } from "@tanstack/react-router";
import { IconChevronRight } from "@tabler/icons-react";
import { useEffect, type ReactNode } from "react";
import classes from "./page.module.css";

export type Crumb = { readonly label: string; readonly to: string };

type PageProps = {
  readonly title: string;
  readonly description?: ReactNode;
  readonly crumbs?: readonly Crumb[];
  /** Beside the title: usually one state badge. */
  readonly beside?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  readonly width?: "full" | "reading";
};

export function Page({
  title,
  description,
  crumbs = [],
  beside,
  actions,
  children,
  width = "full",
}: PageProps) {
  useEffect(() => {
    document.title = `${title} · Mainstay`;
  }, [title]);
  return (
    <div className={classes.page} data-width={width}>
      <header className={classes.head}>
        <div className={classes.words}>
          {crumbs.length > 0 && <Crumbs crumbs={crumbs} />}
          <div className={classes.titleLine}>
            <h1 className={classes.title}>{title}</h1>
            {beside}
          </div>
          {description !== undefined && <div className={classes.description}>{description}</div>}
        </div>
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

function Crumbs({ crumbs }: { readonly crumbs: readonly Crumb[] }) {
  return (
    <nav aria-label="Breadcrumb" className={classes.crumbs}>
      {crumbs.map((crumb) => (
        <span key={crumb.to} className={classes.crumb}>
          <Link to={crumb.to}>{crumb.label}</Link>
          <IconChevronRight size={13} aria-hidden />
        </span>
      ))}
    </nav>
  );
}
