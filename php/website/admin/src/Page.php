<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * One of the pages behind the login.
 */
interface Page
{
    /** Its heading, and its name in the navigation. */
    public function title(): string;

    /** Whether it is loaded again by itself while somebody looks at it. */
    public function isLive(): bool;

    /**
     * What it shows.
     *
     * @throws \Cr0Sync\Cr0SyncException when the library cannot tell
     */
    public function show(Request $request, Library $library, Forms $forms): Html;

    /**
     * Does what a form of it asks for, after the token was checked.
     *
     * @throws \Cr0Sync\Cr0SyncException when the library refuses
     */
    public function act(Request $request, Library $library): Outcome;
}
