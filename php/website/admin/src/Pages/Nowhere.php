<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\NotThere;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;

/**
 * What is at an address that names none of the pages.
 */
final readonly class Nowhere implements Page
{
    public function title(): string
    {
        return 'Not found';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        throw new NotThere('There is no page of this name.', $forms->link('overview', [], 'To the overview'));
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Nothing is asked for here.'));
    }
}
